"""Units that are corrected, moved, counted and kept back: each in the ledger, once, and told."""

import asyncio

import pytest
from psycopg.errors import CheckViolation, InsufficientPrivilege

from mesh import context
from ordermesh.inventory.v1 import inventory_events_pb2 as pb
from services.common.ids import new_id
from services.inventory.domain.errors import NotOnHand, OutOfStock, RequestIdReused, StockNotFound, WarehouseNotFound
from services.inventory.domain.stock import MovementKind, Policy
from services.inventory.store import InventoryStore, Remark
from tests.integration.postgres import Postgres
from tests.integration.services.inventory.books import asked, told

BROKEN = Remark("DAMAGED", "fell off the shelf")
NOTHING = Remark()
LOW = Policy(low_stock_threshold=3)


async def numbers(store: InventoryStore, sku: str = "A") -> dict[str, tuple[int, int, int]]:
    """Read units on hand, reserved and backordered, by warehouse."""
    found = await store.levels([sku])
    return {level.warehouse_code: (level.on_hand, level.reserved, level.backordered) for level in found}


async def test_the_ledger_says_why_who_and_for_what(store: InventoryStore) -> None:
    """Newest first, and page by page."""
    order_id = new_id()
    with context.background(actor="user:ann"):
        await store.receive("A", 9, "near", asked("d1"))
        await store.adjust("A", -2, "near", BROKEN, asked("a1"))
        await store.transfer("A", 3, ("near", "far"), Remark(note="rebalance"))
        await store.count("A", 5, "near", NOTHING)
        await store.reserve(order_id, {"A": 1})
        await store.commit(order_id, request=asked("s1"))
    ledger = await store.movements("A", "", None, 10)
    assert [(each.kind, each.quantity, each.warehouse_code) for each in ledger] == [
        (MovementKind.SHIPMENT, -1, "near"),
        (MovementKind.COUNT, 1, "near"),
        (MovementKind.TRANSFER_IN, 3, "far"),
        (MovementKind.TRANSFER_OUT, -3, "near"),
        (MovementKind.ADJUSTMENT, -2, "near"),
        (MovementKind.RECEIPT, 9, "near"),
    ]
    assert {each.actor for each in ledger} == {"user:ann"}
    assert (ledger[0].order_id, ledger[0].request_id) == (order_id, "s1")
    assert (ledger[4].reason, ledger[4].note, ledger[4].request_id) == ("DAMAGED", "fell off the shelf", "a1")
    assert await store.movements("A", "", ledger[1].id, 2) == ledger[2:4]
    assert await store.movements("A", "far", None, 10) == ledger[2:3]


async def test_the_ledger_can_only_be_added_to(store: InventoryStore, postgres: Postgres) -> None:
    """By the role that the service runs as; requests and events likewise."""
    await store.receive("A", 9, "near", asked("d1"))
    with postgres.app("inventory") as session:
        for table in (b"stock_movements", b"stock_requests", b"events"):
            for statement in (
                b"DELETE FROM " + table,
                b"UPDATE " + table + b" SET request_id = 'x'",
                b"TRUNCATE " + table,
            ):
                with pytest.raises(InsufficientPrivilege):
                    session.execute(statement)


async def test_each_change_is_made_once_for_a_request(store: InventoryStore) -> None:
    """However often and however many at once it is asked for; for something else it is refused."""
    await store.receive("A", 20, "near")
    adjusted = (store.adjust("A", -1, "near", BROKEN, asked("r1")) for _ in range(6))
    moved = (store.transfer("A", 5, ("near", "far"), NOTHING, asked("r2")) for _ in range(6))
    await asyncio.gather(*adjusted, *moved)
    assert await numbers(store) == {"near": (14, 0, 0), "far": (5, 0, 0)}
    await store.count("A", 10, "near", NOTHING, asked("r3"))
    await store.receive("A", 1, "near")
    await store.count("A", 10, "near", NOTHING, asked("r3"))
    assert await numbers(store) == {"near": (11, 0, 0), "far": (5, 0, 0)}
    with pytest.raises(RequestIdReused):
        await store.adjust("A", -1, "near", BROKEN, asked("r2", "something else"))


async def test_a_request_that_failed_may_come_again(store: InventoryStore) -> None:
    """Its id was not used up."""
    with pytest.raises(StockNotFound):
        await store.adjust("A", -1, "near", BROKEN, asked("r1"))
    await store.receive("A", 1, "near")
    await store.adjust("A", -1, "near", BROKEN, asked("r1"))
    assert await numbers(store) == {"near": (0, 0, 0)}


async def test_a_delivery_that_an_older_release_booked_is_not_booked_again(
    store: InventoryStore, postgres: Postgres
) -> None:
    """It noted requests in the ledger only."""
    await store.receive("A", 5, "near")
    with postgres.superuser("inventory") as session:
        session.execute("UPDATE stock_movements SET request_id = 'd1'")
    with pytest.raises(RequestIdReused):
        await store.receive("A", 5, "near", asked("d1"))
    assert await numbers(store) == {"near": (5, 0, 0)}


async def test_no_more_can_go_than_there_is(store: InventoryStore) -> None:
    """By a correction all that is there; by a transfer what nobody holds."""
    await store.receive("A", 5, "near")
    await store.reserve(new_id(), {"A": 3})
    with pytest.raises(NotOnHand) as refusal:
        await store.transfer("A", 3, ("near", "far"), NOTHING)
    assert refusal.value.metadata["most"] == "2"
    with pytest.raises(NotOnHand) as refusal:
        await store.adjust("A", -6, "near", BROKEN)
    assert refusal.value.metadata["most"] == "5"
    with pytest.raises(WarehouseNotFound):
        await store.transfer("A", 1, ("near", "moon"), NOTHING)
    assert await numbers(store) == {"near": (5, 3, 0)}


async def test_a_count_below_what_is_held_makes_the_newest_orders_wait(
    store: InventoryStore, postgres: Postgres
) -> None:
    """Who came first is served; each order's event says what it waits for."""
    await store.receive("A", 5, "near")
    orders = [new_id() for _ in range(3)]
    for order_id, units in zip(orders, (2, 1, 2), strict=True):
        await store.reserve(order_id, {"A": units})
    await store.count("A", 2, "near", NOTHING)
    assert await numbers(store) == {"near": (2, 2, 3)}
    found = [reservation for order_id in orders if (reservation := await store.reservation(order_id))]
    assert [each.allocations[0].backordered for each in found] == [0, 1, 2]
    event = told(postgres, orders[2])[-1]
    assert isinstance(event, pb.StockBackordered)
    assert event.units[0].quantity == 2
    assert event.reservation.allocations[0].backordered == 2


async def test_backorders_are_promised_up_to_a_limit_and_filled_by_age(
    store: InventoryStore, postgres: Postgres
) -> None:
    """A delivery, a return, a correction, a transfer or another order's units: whatever comes, who waits gets it."""
    await store.receive("A", 1, "near")
    await store.set_policy("A", "near", Policy(backorder_limit=5))
    first, second, third = (new_id() for _ in range(3))
    await store.reserve(first, {"A": 3})
    await store.reserve(second, {"A": 3})
    with pytest.raises(OutOfStock):
        await store.reserve(third, {"A": 1})
    assert await numbers(store) == {"near": (1, 1, 5)}

    await store.receive("A", 3, "near")
    assert [type(event).__name__ for event in told(postgres, first)] == [
        "StockReserved",
        "StockBackordered",
        "BackorderFilled",
    ]
    filled = told(postgres, second)[-1]
    assert isinstance(filled, pb.BackorderFilled)
    assert [each.quantity for each in filled.units] == [1]
    await store.release(first)
    assert await numbers(store) == {"near": (4, 3, 0)}
    assert (await store.commit(second)).state == "COMMITTED"


async def test_a_sku_that_never_arrived_can_be_ordered_in_advance(store: InventoryStore) -> None:
    """Once its policy says so; at the first warehouse."""
    await store.set_policy("NEW", "", Policy(backorder_limit=2))
    await store.reserve(new_id(), {"NEW": 2})
    assert await numbers(store, "NEW") == {"near": (0, 0, 2)}


async def test_a_policy_for_all_places_is_that_of_places_to_come(store: InventoryStore) -> None:
    """One for a place leaves the others alone."""
    await store.receive("A", 5, "near")
    await store.set_policy("A", "", Policy(2, 3, 4))
    await store.receive("A", 5, "far")
    await store.set_policy("A", "far", Policy(1))
    assert [level.policy for level in await store.levels(["A"])] == [Policy(2, 3, 4), Policy(1)]
    assert [level.available for level in await store.levels(["A"])] == [3, 4]


async def test_low_stock_is_told_once_each_way(store: InventoryStore, postgres: Postgres) -> None:
    """Whoever crosses the threshold tells it in the same commit, an order too; nobody else does."""
    await store.set_policy("A", "near", LOW)
    await store.receive("A", 5, "near")
    orders = [new_id() for _ in range(3)]
    for order_id in orders:
        await store.reserve(order_id, {"A": 1})
    await store.release(orders[0])
    await store.release(orders[1])
    await store.set_policy("A", "near", Policy(low_stock_threshold=9))
    await store.set_policy("A", "near", Policy())
    crossings = [event for event in told(postgres, "A") if isinstance(event, pb.StockLow | pb.StockReplenished)]
    assert [(type(event).__name__, event.available) for event in crossings] == [
        ("StockLow", 0),
        ("StockReplenished", 5),
        ("StockLow", 3),
        ("StockReplenished", 4),
        ("StockLow", 4),
        ("StockReplenished", 4),
    ]


async def test_a_rush_over_the_threshold_tells_it_once(store: InventoryStore, postgres: Postgres) -> None:
    """Of all who take a unit, one is the one."""
    await store.receive("A", 40, "near")
    await store.set_policy("A", "near", Policy(low_stock_threshold=20))
    await asyncio.gather(*(store.reserve(new_id(), {"A": 1}) for _ in range(40)))
    assert [type(event).__name__ for event in told(postgres, "A")][2:] == ["StockLow"]


async def test_nobody_can_make_stock_low_without_telling(store: InventoryStore, postgres: Postgres) -> None:
    """The database refuses it, so no statement has to ask."""
    await store.receive("A", 5, "near")
    await store.set_policy("A", "near", LOW)
    with postgres.app("inventory") as session, pytest.raises(CheckViolation):
        session.execute("UPDATE stock_levels SET reserved = 3")


async def test_warehouses_change_but_for_their_code(store: InventoryStore) -> None:
    """What is not named stays."""
    changed = await store.change_warehouse("far", priority=7, zone="eu-west", region_codes=("FR",))
    assert (changed.display_name, changed.priority, changed.zone, changed.region_codes) == (
        "Far",
        7,
        "eu-west",
        ("FR",),
    )
    assert (await store.warehouses(None, 5))[1] == changed
    with pytest.raises(WarehouseNotFound):
        await store.change_warehouse("moon", priority=1)
