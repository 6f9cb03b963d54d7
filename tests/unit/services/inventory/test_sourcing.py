"""How units are chosen from warehouses."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.inventory.domain.errors import OutOfStock
from services.inventory.domain.reservation import Allocation
from services.inventory.domain.sourcing import allocate
from services.inventory.domain.stock import Level


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


LEVELS = st.lists(
    st.tuples(st.sampled_from("ABC"), st.sampled_from(["w1", "w2", "w3"]), st.integers(0, 20), st.integers(0, 20)),
    unique_by=lambda level: level[:2],
    max_size=9,
)


@given(LEVELS, st.dictionaries(st.sampled_from("ABC"), st.integers(1, 30), min_size=1))
def test_an_allocation_is_exact_and_never_takes_more_than_is_there(
    rows: list[tuple[str, str, int, int]], wanted: dict[str, int]
) -> None:
    """Either every line is met in full from what is available, or nothing is and stock was indeed short."""
    levels = [level(sku, warehouse, on_hand, min(reserved, on_hand)) for sku, warehouse, on_hand, reserved in rows]
    free = {(one.sku, one.warehouse_id): one.available for one in levels}
    try:
        parts = allocate(wanted, levels)
    except OutOfStock as refusal:
        for sku in refusal.metadata["skus"].split(","):
            assert sum(units for (of, _), units in free.items() if of == sku) < wanted[sku]
        return
    assert all(0 < part.quantity <= free[part.sku, part.warehouse_id] for part in parts)
    assert len({(part.sku, part.warehouse_id) for part in parts}) == len(parts)
    assert {sku: sum(part.quantity for part in parts if part.sku == sku) for sku in wanted} == wanted
