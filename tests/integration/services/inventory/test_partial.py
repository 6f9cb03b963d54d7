"""Reservations that leave, are given back and return in parts, and that last longer."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from ordermesh.inventory.v1 import inventory_events_pb2 as pb
from services.common.database import Database
from services.common.ids import new_id
from services.inventory.domain.errors import (
    CommitNotFound,
    NotCommitted,
    NotHeld,
    OutOfStock,
    RequestIdReused,
    ReservationNotFound,
    ReservationSettled,
)
from services.inventory.domain.reservation import State
from services.inventory.domain.sourcing import Destination, Strategy
from services.inventory.domain.stock import Policy
from services.inventory.settings import InventorySettings
from services.inventory.store import AskedLine, InventoryStore, Remark
from tests.integration.postgres import Postgres
from tests.integration.services.inventory.books import asked, told
from tests.integration.services.inventory.test_stock import numbers

DAY = timedelta(days=1)
NOTHING = Remark()


async def reserved(store: InventoryStore) -> str:
    """Hold three A that are near and two that are far."""
    order_id = new_id()
    await store.receive("A", 3, "near")
    await store.receive("A", 4, "far")
    await store.reserve(order_id, {"A": 5})
    return order_id


async def test_parcels_leave_the_warehouses_they_are_held_in(store: InventoryStore, postgres: Postgres) -> None:
    """Each once; the last one commits the reservation."""
    order_id = await reserved(store)
    lines = [AskedLine("A", 2, "far")]
    at_once = await asyncio.gather(*(store.commit(order_id, lines, asked("s1")) for _ in range(6)))
    assert {each.state for each in at_once} == {State.HELD}
    assert await numbers(store) == {"near": (3, 3, 0), "far": (2, 0, 0)}
    with pytest.raises(NotHeld):
        await store.commit(order_id, lines, asked("s2"))
    with pytest.raises(RequestIdReused):
        await store.commit(order_id, [AskedLine("A", 1)], asked("s1", "something else"))
    assert (await store.commit(order_id, [], asked("s3"))).state is State.COMMITTED
    event = told(postgres, order_id)[1]
    assert isinstance(event, pb.StockCommitted)
    assert (event.request_id, event.units[0].quantity, event.reservation.allocations[1].held) == ("s1", 2, 0)


async def test_a_request_id_is_one_order_s(store: InventoryStore) -> None:
    """Others may use the same."""
    one, other = await reserved(store), await reserved(store)
    for order_id in (one, other):
        moved = await store.release(order_id, [AskedLine("A", 1)], asked("r1"))
        assert sum(part.released for part in moved.allocations) == 1


async def test_lines_are_given_back_once(store: InventoryStore) -> None:
    """And the rest with the order."""
    order_id = await reserved(store)
    await asyncio.gather(*(store.release(order_id, [AskedLine("A", 4)], asked("r1")) for _ in range(6)))
    assert await numbers(store) == {"near": (3, 0, 0), "far": (4, 1, 0)}
    assert (await store.release(order_id)).state is State.RELEASED
    assert await numbers(store) == {"near": (3, 0, 0), "far": (4, 0, 0)}


async def test_lines_of_an_order_without_reservation_are_refused(store: InventoryStore) -> None:
    """Only a whole release leaves a mark."""
    with pytest.raises(ReservationNotFound):
        await store.release(new_id(), [AskedLine("A", 1)], asked("r1"))


async def test_what_comes_back_is_sold_again_or_held_for_who_waits(store: InventoryStore, postgres: Postgres) -> None:
    """To where it came from, or where it is said to be."""
    order_id = await reserved(store)
    await store.commit(order_id)
    lines = [AskedLine("A", 1, "far"), AskedLine("A", 2)]
    await asyncio.gather(*(store.take_back(order_id, lines, asked("b1")) for _ in range(6)))
    assert await numbers(store) == {"near": (2, 0, 0), "far": (3, 0, 0)}
    event = told(postgres, order_id)[-1]
    assert isinstance(event, pb.StockReturned)
    assert sum(each.quantity for each in event.units) == 3


async def test_a_commit_is_undone_once_where_it_was_done(store: InventoryStore, postgres: Postgres) -> None:
    """Its units are the order's again, and no others."""
    order_id = await reserved(store)
    await store.commit(order_id, [AskedLine("A", 1, "near")], asked("s1"))
    await store.commit(order_id, [], asked("s2"))
    at_once = await asyncio.gather(*(store.revert(order_id, asked("s2", "undo")) for _ in range(6)))
    assert {each.state for each in at_once} == {State.HELD}
    assert await numbers(store) == {"near": (2, 2, 0), "far": (4, 2, 0)}
    event = told(postgres, order_id)[-1]
    assert isinstance(event, pb.StockCommitReverted)
    assert (event.request_id, sum(each.quantity for each in event.units)) == ("s2", 4)
    late = await store.commit(order_id, [], asked("s2"))
    assert sum(part.held for part in late.allocations) == 4
    assert (await store.release(order_id)).state is State.COMMITTED
    assert await numbers(store) == {"near": (2, 0, 0), "far": (4, 0, 0)}


async def test_a_commit_that_never_was_can_not_be_undone(store: InventoryStore) -> None:
    """Nor that of another order, nor one whose units came back."""
    order_id, other = await reserved(store), await reserved(store)
    await store.commit(other, [], asked("s1"))
    with pytest.raises(CommitNotFound):
        await store.revert(order_id, asked("s1", "undo"))
    await store.take_back(other, [AskedLine("A", 1)], asked("r1"))
    with pytest.raises(NotCommitted):
        await store.revert(other, asked("s1", "undo"))


async def test_nobody_else_gets_what_a_commit_that_is_undone_holds_again(store: InventoryStore) -> None:
    """Buyers are as many as can be, while all of a warehouse leaves and stays again and again."""
    order_id = new_id()
    await store.receive("A", 3, "near")
    await store.reserve(order_id, {"A": 3})

    async def ship(at: int) -> None:
        await store.commit(order_id, [AskedLine("A", 3)], asked(f"s{at}"))
        await store.revert(order_id, asked(f"s{at}", "undo"))

    async def buy() -> None:
        with pytest.raises(OutOfStock):
            await store.reserve(new_id(), {"A": 1})

    async def shipping() -> None:
        for at in range(8):
            await ship(at)

    await asyncio.gather(shipping(), *(buy() for _ in range(24)))
    assert await numbers(store) == {"near": (3, 3, 0)}


async def test_commit_release_return_and_count_at_once_balance(store: InventoryStore) -> None:
    """Whoever is first; the books are checked afterwards."""
    for place in ("near", "far"):
        await store.receive("A", 40, place)
        await store.receive("B", 40, place)
    orders = [new_id() for _ in range(12)]
    for order_id in orders:
        await store.reserve(order_id, {"A": 2, "B": 3})
    work = []
    for at, order_id in enumerate(orders):
        lines = [AskedLine("B", 1), AskedLine("A", 1)]
        work += [
            store.commit(order_id, lines, asked(f"s{at}")),
            store.release(order_id, lines[1:], asked(f"r{at}")),
            store.commit(order_id),
            store.release(order_id),
            store.extend(order_id, None),
            store.take_back(order_id, lines[:1], asked(f"b{at}")),
            store.revert(order_id, asked(f"s{at}", "undo")),
            store.count("AB"[at % 2], 30, "near", NOTHING),
            store.transfer("BA"[at % 2], 2, ("near", "far"), NOTHING),
            store.reserve(new_id(), {"B": 1, "A": 1}),
        ]
    outcomes = await asyncio.gather(*work, return_exceptions=True)
    codes = {getattr(each, "code", repr(each)) for each in outcomes if isinstance(each, BaseException)}
    assert codes <= {"FAILED_PRECONDITION"}


async def test_orders_that_wait_for_several_skus_are_filled_without_deadlock(store: InventoryStore) -> None:
    """Deliveries of either SKU meet the same orders, while those are given back or leave."""
    for sku in "AB":
        await store.set_policy(sku, "near", Policy(backorder_limit=99))
    orders = [new_id() for _ in range(12)]
    for order_id in orders:
        await store.reserve(order_id, {"A": 2, "B": 2})
    deliveries = [store.receive(sku, 3, "near") for sku in "ABABABAB" * 2]
    releases = [store.release(order_id, [AskedLine("AB"[at % 2], 1)], asked("r")) for at, order_id in enumerate(orders)]
    outcomes = await asyncio.gather(*deliveries, *releases, return_exceptions=True)
    assert [each for each in outcomes if isinstance(each, BaseException)] == []
    assert await numbers(store, "A") == {"near": (24, 18, 0)}


async def test_a_reservation_lasts_longer_and_then_for_good(store: InventoryStore, postgres: Postgres) -> None:
    """Never shorter; each time with an event, and none when nothing changes."""
    order_id = await reserved(store)
    before = datetime.now(UTC)
    assert (await store.extend(order_id, DAY / 2)).version == 1
    assert (await store.extend(order_id, DAY * 2)).expire_time >= before + DAY * 2
    assert (await store.extend(order_id, None)).firm
    assert (await store.extend(order_id, DAY * 9)).version == 3
    event = told(postgres, order_id)[-1]
    assert isinstance(event, pb.ReservationExtended)
    assert not event.reservation.HasField("expire_time")
    await store.release(order_id)
    with pytest.raises(ReservationSettled):
        await store.extend(order_id, DAY)


async def test_overdue_reservations_are_taken_by_one_worker_for_a_while(
    postgres: Postgres, store: InventoryStore
) -> None:
    """Firm ones, settled ones and those whose time has not come are none."""
    await store.receive("A", 50, "near")
    settings = postgres.settings(InventorySettings, "inventory")
    async with Database.open(settings) as database:
        hasty = InventoryStore(database, timedelta(seconds=-1))
        orders = [new_id() for _ in range(7)]
        for order_id in orders:
            await hasty.reserve(order_id, {"A": 1})
        await store.reserve(new_id(), {"A": 1})
        await hasty.extend(orders[0], None)
        await hasty.release(orders[1])
        await hasty.commit(orders[2])
        taken = await asyncio.gather(*(hasty.claim_overdue(2, DAY) for _ in range(4)))
    assert sorted(each for batch in taken for each in batch) == sorted(orders[3:])
    assert await store.claim_overdue(9, DAY) == []


async def test_a_lease_that_ran_out_is_taken_again(postgres: Postgres, store: InventoryStore) -> None:
    """Its worker died."""
    await store.receive("A", 5, "near")
    async with Database.open(postgres.settings(InventorySettings, "inventory")) as database:
        hasty, order_id = InventoryStore(database, timedelta(seconds=-1)), new_id()
        await hasty.reserve(order_id, {"A": 1})
        assert await hasty.claim_overdue(9, timedelta(seconds=-1)) == [order_id]
        assert await hasty.claim_overdue(9, DAY) == [order_id]


async def test_stock_comes_from_where_the_setting_says(postgres: Postgres, store: InventoryStore) -> None:
    """The nearest here; the store hands the destination on."""
    await store.change_warehouse("far", region_codes=("ES",))
    for place in ("near", "far"):
        await store.receive("A", 5, place)
    async with Database.open(postgres.settings(InventorySettings, "inventory")) as database:
        nearest = InventoryStore(database, DAY, Strategy.NEAREST)
        await nearest.reserve(new_id(), {"A": 2}, Destination("ES"))
        await nearest.reserve(new_id(), {"A": 1})
    assert await numbers(store) == {"near": (5, 1, 0), "far": (5, 2, 0)}


async def test_reservations_are_listed_newest_first(store: InventoryStore) -> None:
    """All, one order's, those in a state, or those that wait."""
    orders = [await reserved(store) for _ in range(3)]
    await store.release(orders[1])

    async def listed(**filters: object) -> list[str]:
        query: dict[str, object] = {"order_id": None, "state": None, "backordered": False, "after": None, "limit": 9}
        return [each.order_id for each in await store.reservations(**query | filters)]  # type: ignore[arg-type]

    assert await listed() == orders[::-1]
    assert await listed(order_id=orders[0]) == orders[:1]
    assert await listed(state="RELEASED") == orders[1:2]
    assert await listed(backordered=True) == []
    newest = await store.reservation(orders[2])
    assert newest is not None
    assert await listed(after=newest.id, limit=1) == orders[1:2]
    for place in ("near", "far"):
        await store.count("A", 0, place, NOTHING)
    assert await listed(backordered=True) == [orders[2], orders[0]]
