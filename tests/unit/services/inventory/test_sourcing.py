"""How units are chosen from warehouses, by each strategy."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.inventory.domain.errors import OutOfStock
from services.inventory.domain.reservation import Allocation
from services.inventory.domain.sourcing import MOST_TRIED, Destination, Strategy, allocate
from services.inventory.domain.stock import Level, Location


def level(sku: str, warehouse: str, on_hand: int, reserved: int = 0, priority: int = 0) -> Level:
    """Make a level; the warehouse's id and code are the same."""
    return Level(sku, warehouse, warehouse, priority, on_hand, reserved)


def test_one_warehouse_that_has_everything_serves_alone() -> None:
    """One parcel beats a better priority."""
    levels = [level("A", "near", 5, priority=0), level("A", "far", 5, priority=1), level("B", "far", 5, priority=1)]
    assert allocate({"A": 2, "B": 1}, levels) == (Allocation("A", "far", 2), Allocation("B", "far", 1))


def test_among_those_that_have_everything_the_lowest_priority_serves() -> None:
    """Priority is the warehouse's own setting."""
    levels = [level("A", "far", 5, priority=1), level("A", "near", 5, priority=0)]
    assert allocate({"A": 2}, levels) == (Allocation("A", "near", 2),)


def test_when_none_has_everything_the_order_is_split_by_priority() -> None:
    """All units are found as long as the sum suffices."""
    levels = [level("A", "near", 2, priority=0), level("A", "far", 5, priority=1)]
    assert allocate({"A": 6}, levels) == (Allocation("A", "near", 2), Allocation("A", "far", 4))


def test_reserved_units_are_not_promised_again() -> None:
    """Available is on hand less reserved."""
    with pytest.raises(OutOfStock):
        allocate({"A": 1}, [level("A", "w", 3, reserved=3)])


def test_a_refusal_names_every_short_sku() -> None:
    """The caller learns all at once."""
    with pytest.raises(OutOfStock) as refusal:
        allocate({"A": 1, "B": 9, "C": 1}, [level("A", "w", 1), level("B", "w", 8)])
    assert refusal.value.metadata["skus"] == "B,C"


BERLIN, PARIS, MADRID = Location(52.5, 13.4), Location(48.9, 2.4), Location(40.4, -3.7)


def place(warehouse: str, location: Location | None = None, regions: tuple[str, ...] = (), priority: int = 0) -> Level:
    """Make a level of five A in a warehouse somewhere."""
    return Level(
        "A",
        warehouse,
        warehouse,
        priority,
        5,
        0,
        region_codes=regions,
        latitude=location.latitude if location else None,
        longitude=location.longitude if location else None,
    )


def first(levels: list[Level], destination: Destination | None) -> str:
    """Tell which warehouse serves one A as the nearest."""
    return allocate({"A": 1}, levels, Strategy.NEAREST, destination)[0].warehouse_id


def test_the_nearest_is_the_one_with_the_shortest_way() -> None:
    """As the crow flies, whatever the priorities."""
    levels = [place("madrid", MADRID, priority=0), place("berlin", BERLIN, priority=1)]
    assert first(levels, Destination(location=PARIS)) == "berlin"


def test_the_way_over_the_date_line_is_short() -> None:
    """Degrees are no distance."""
    fiji, samoa = Location(-17.7, 178.0), Location(-13.8, -172.1)
    levels = [place("auckland", Location(-36.8, 174.8)), place("apia", samoa)]
    assert first(levels, Destination(location=fiji)) == "apia"


def test_a_warehouse_that_is_for_the_region_is_nearest() -> None:
    """What the company says counts for more than the way."""
    levels = [place("berlin", BERLIN), place("madrid", MADRID, ("FR", "ES"))]
    assert first(levels, Destination("FR", PARIS)) == "madrid"
    assert first(levels, Destination("FR")) == "madrid"


def test_where_nothing_is_known_priority_decides() -> None:
    """Of the way, of the warehouse or of the destination."""
    levels = [place("b", BERLIN, priority=1), place("a", priority=0)]
    assert [first(levels, where) for where in (None, Destination(), Destination("FR"))] == ["a"] * 3


def test_the_fewest_warehouses_serve_together_when_none_serves_alone() -> None:
    """By priority this would be three parcels."""
    levels = [
        level("A", "w1", 1, priority=0),
        level("A", "w2", 4, priority=1),
        level("B", "w2", 1, priority=1),
        level("A", "w3", 1, priority=2),
        level("B", "w3", 9, priority=2),
    ]
    by_priority = allocate({"A": 5, "B": 3}, levels)
    fewest = allocate({"A": 5, "B": 3}, levels, Strategy.FEWEST_SPLITS)
    assert {part.warehouse_id for part in by_priority} == {"w1", "w2", "w3"}
    assert {part.warehouse_id for part in fewest} == {"w2", "w3"}


def test_among_equally_few_the_lowest_priorities_serve() -> None:
    """So that the answer is always the same."""
    levels = [level("A", f"w{number}", 2, priority=number) for number in (3, 1, 2)]
    assert allocate({"A": 4}, levels, Strategy.FEWEST_SPLITS) == (Allocation("A", "w1", 2), Allocation("A", "w2", 2))


def test_many_warehouses_are_not_tried_in_every_combination() -> None:
    """Two to the power of forty would take a while; the largest come first instead."""
    levels = [level("A", f"w{number:02}", 1 + (number == 30), priority=number) for number in range(MOST_TRIED + 28)]
    parts = allocate({"A": 20}, levels, Strategy.FEWEST_SPLITS)
    assert sum(part.quantity for part in parts) == 20
    assert len(parts) == 19


def test_safety_stock_is_not_sold() -> None:
    """It is there, and stays."""
    with pytest.raises(OutOfStock):
        allocate({"A": 4}, [Level("A", "w", "w", 0, 5, 0, safety_stock=2)])


def test_what_is_not_there_is_promised_after_what_is() -> None:
    """By the order of the warehouses, and only as far as each may."""
    levels = [
        Level("A", "w1", "w1", 0, 2, 0, backordered=1, backorder_limit=3),
        Level("A", "w2", "w2", 1, 1, 0, backorder_limit=9),
        level("B", "w2", 1, priority=1),
    ]
    assert allocate({"A": 8, "B": 1}, levels) == (
        Allocation("A", "w1", 4, backordered=2),
        Allocation("A", "w2", 4, backordered=3),
        Allocation("B", "w2", 1),
    )


def test_promises_have_a_limit() -> None:
    """Beyond it, stock is short as ever."""
    with pytest.raises(OutOfStock) as refusal:
        allocate({"A": 6}, [Level("A", "w", "w", 0, 2, 0, backorder_limit=3)])
    assert refusal.value.metadata["skus"] == "A"


LEVELS = st.lists(
    st.tuples(st.sampled_from("ABC"), st.sampled_from(["w1", "w2", "w3"]), st.integers(0, 20), st.integers(0, 20)),
    unique_by=lambda level: level[:2],
    max_size=9,
)


WANTED = st.dictionaries(st.sampled_from("ABC"), st.integers(1, 30), min_size=1)


@given(LEVELS, WANTED, st.sampled_from(Strategy))
def test_an_allocation_is_exact_and_never_takes_more_than_is_there(
    rows: list[tuple[str, str, int, int]], wanted: dict[str, int], strategy: Strategy
) -> None:
    """By any strategy: either every line is met in full from what is available, or stock was indeed short."""
    levels = [level(sku, warehouse, on_hand, min(reserved, on_hand)) for sku, warehouse, on_hand, reserved in rows]
    free = {(one.sku, one.warehouse_id): one.available for one in levels}
    try:
        parts = allocate(wanted, levels, strategy, Destination("DE"))
    except OutOfStock as refusal:
        for sku in refusal.metadata["skus"].split(","):
            assert sum(units for (of, _), units in free.items() if of == sku) < wanted[sku]
        return
    assert all(0 < part.quantity <= free[part.sku, part.warehouse_id] for part in parts)
    assert len({(part.sku, part.warehouse_id) for part in parts}) == len(parts)
    assert {sku: sum(part.quantity for part in parts if part.sku == sku) for sku in wanted} == wanted
    assert parts == allocate(wanted, levels[::-1], strategy, Destination("DE"))


@given(LEVELS, WANTED)
def test_no_choice_of_warehouses_is_smaller_than_the_fewest(
    rows: list[tuple[str, str, int, int]], wanted: dict[str, int]
) -> None:
    """Compared with all there are."""
    levels = [level(sku, warehouse, on_hand, min(reserved, on_hand)) for sku, warehouse, on_hand, reserved in rows]
    try:
        used = {part.warehouse_id for part in allocate(wanted, levels, Strategy.FEWEST_SPLITS)}
    except OutOfStock:
        return
    for size in range(1, len(used)):
        for some in itertools.combinations(["w1", "w2", "w3"], size):
            there = [one for one in levels if one.warehouse_id in some]
            sums = {sku: sum(one.available for one in there if one.sku == sku) for sku in wanted}
            assert any(sums[sku] < units for sku, units in wanted.items())


@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(0, 5), st.integers(0, 3)), max_size=4),
    st.integers(1, 30),
)
def test_a_promise_is_exact_and_within_limits(rows: list[tuple[int, int, int, int]], wanted: int) -> None:
    """What is there is taken first."""
    levels = [
        Level("A", f"w{at}", f"w{at}", at, on_hand, 0, min(waiting, limit), 0, limit)
        for at, (on_hand, waiting, limit, _) in enumerate(rows)
    ]
    room = {one.warehouse_id: one for one in levels}
    try:
        parts = allocate({"A": wanted}, levels)
    except OutOfStock:
        assert sum(one.available + one.backorderable for one in levels) < wanted
        return
    assert sum(part.quantity for part in parts) == wanted
    assert all(part.held <= room[part.warehouse_id].available for part in parts)
    assert all(part.backordered <= room[part.warehouse_id].backorderable for part in parts)
    if any(part.backordered for part in parts):
        assert sum(part.held for part in parts) == sum(one.available for one in levels)
