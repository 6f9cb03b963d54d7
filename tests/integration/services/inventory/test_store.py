"""Receiving, holding, giving back and booking out: each once, however often it is asked."""

import asyncio

import pytest

from mesh import errors
from services.common.ids import new_id
from services.inventory.domain.errors import (
    OutOfStock,
    RequestIdReused,
    ReservationNotFound,
    ReservationSettled,
    WarehouseCodeTaken,
    WarehouseNotFound,
)
from services.inventory.domain.reservation import State
from services.inventory.store import InventoryStore
from tests.integration.services.inventory.books import asked


async def stock(store: InventoryStore, sku: str) -> dict[str, tuple[int, int]]:
    """Read units on hand and reserved, by warehouse."""
    return {level.warehouse_code: (level.on_hand, level.reserved) for level in await store.levels([sku])}


async def test_units_arrive_at_the_warehouse_named_or_at_the_first(store: InventoryStore) -> None:
    """The one of the lowest priority number, as the contract says."""
    await store.receive("A", 5, "far", None)
    await store.receive("A", 2, "", None)
    await store.receive("A", 1, "", None)
    assert await stock(store, "A") == {"near": (3, 0), "far": (5, 0)}


async def test_a_delivery_of_one_request_id_is_booked_once(store: InventoryStore) -> None:
    """Also when both requests come at the same moment."""
    await store.receive("A", 5, "near", asked("delivery-1", "A", 5, "near"))
    await store.receive("A", 5, "near", asked("delivery-1", "A", 5, "near"))
    await asyncio.gather(*(store.receive("A", 3, "", asked("delivery-2", "A", 3, "")) for _ in range(8)))
    assert await stock(store, "A") == {"near": (8, 0)}


@pytest.mark.parametrize(("sku", "quantity", "warehouse"), [("B", 5, "near"), ("A", 6, "near"), ("A", 5, "far")])
async def test_a_request_id_of_another_delivery_is_refused(
    store: InventoryStore, sku: str, quantity: int, warehouse: str
) -> None:
    """Another SKU, another number of units, or another place: nothing is booked."""
    await store.receive("A", 5, "near", asked("delivery-1", "A", 5, "near"))
    with pytest.raises(RequestIdReused):
        await store.receive(sku, quantity, warehouse, asked("delivery-1", sku, quantity, warehouse))
    assert await stock(store, "A") == {"near": (5, 0)}
    assert await stock(store, "B") == {}


async def test_a_place_that_is_not_there_is_named(store: InventoryStore) -> None:
    """Nothing is booked anywhere."""
    with pytest.raises(WarehouseNotFound, match="'moon'"):
        await store.receive("A", 5, "moon", None)
    assert await stock(store, "A") == {}


async def test_a_warehouse_code_is_given_once(store: InventoryStore) -> None:
    """Also when two ask at once."""
    asked = await asyncio.gather(*(store.add_warehouse("new", "New", 5) for _ in range(2)), return_exceptions=True)
    assert [type(outcome) for outcome in asked if isinstance(outcome, Exception)] == [WarehouseCodeTaken]


async def test_warehouses_come_page_by_page_by_priority(store: InventoryStore) -> None:
    """The cursor is the last one of the page before; codes with a slash or a dash don't matter."""
    await store.add_warehouse("far-2", "Far", 1)
    first = await store.warehouses(None, 2)
    assert [warehouse.code for warehouse in first] == ["near", "far"]
    rest = await store.warehouses(f"{first[-1].priority}/{first[-1].code}", 2)
    assert [warehouse.code for warehouse in rest] == ["far-2"]


async def test_a_reservation_is_made_once(store: InventoryStore) -> None:
    """Asked again, even for something else, the order gets the first one."""
    order_id = new_id()
    await store.receive("A", 5, "", None)
    first = await store.reserve(order_id, {"A": 3})
    again = await asyncio.gather(*(store.reserve(order_id, {"A": 3}) for _ in range(8)), store.reserve(order_id, {}))
    assert {reservation.id for reservation in again} == {first.id}
    assert again[0].allocations == first.allocations
    assert await stock(store, "A") == {"near": (5, 3)}


async def test_a_first_reservation_asked_for_at_once_is_made_once(store: InventoryStore) -> None:
    """Nobody has read anything yet that could tell them apart."""
    order_id = new_id()
    await store.receive("A", 100, "", None)
    made = await asyncio.gather(*(store.reserve(order_id, {"A": 3}) for _ in range(16)))
    assert len({reservation.id for reservation in made}) == 1
    assert await stock(store, "A") == {"near": (100, 3)}


async def test_a_refusal_holds_nothing_and_is_remembered(store: InventoryStore) -> None:
    """All lines or none. Units that arrive later do not change the answer that was given."""
    order_id = new_id()
    await store.receive("A", 5, "", None)
    for _ in range(2):
        with pytest.raises(OutOfStock) as refusal:
            await store.reserve(order_id, {"A": 5, "B": 1})
        assert refusal.value.metadata["skus"] == "B"
        await store.receive("B", 1, "", None)
    assert await stock(store, "A") == {"near": (5, 0)}
    assert (await store.release(order_id)).state is State.RELEASED


async def test_released_units_can_be_sold_again(store: InventoryStore) -> None:
    """Released twice they come back once."""
    order_id = new_id()
    await store.receive("A", 5, "near", None)
    await store.receive("A", 5, "far", None)
    await store.reserve(order_id, {"A": 8})
    released = await asyncio.gather(*(store.release(order_id) for _ in range(8)))
    assert {reservation.state for reservation in released} == {State.RELEASED}
    assert await stock(store, "A") == {"near": (5, 0), "far": (5, 0)}
    with pytest.raises(ReservationSettled):
        await store.commit(order_id)


async def test_a_release_that_comes_before_its_reserve_keeps_it_from_holding(store: InventoryStore) -> None:
    """The reserve was under way when the order was given up."""
    order_id = new_id()
    await store.receive("A", 5, "", None)
    assert (await store.release(order_id)).state is State.RELEASED
    assert (await store.release(order_id)).state is State.RELEASED
    with pytest.raises(ReservationSettled) as refusal:
        await store.reserve(order_id, {"A": 1})
    assert refusal.value.reason == "RESERVATION_RELEASED"
    assert await stock(store, "A") == {"near": (5, 0)}


async def test_a_committed_reservation_leaves_the_house_once(store: InventoryStore) -> None:
    """It can't be released any more."""
    order_id = new_id()
    await store.receive("A", 5, "near", None)
    await store.receive("A", 5, "far", None)
    await store.reserve(order_id, {"A": 8})
    committed = await asyncio.gather(*(store.commit(order_id) for _ in range(8)))
    assert {reservation.state for reservation in committed} == {State.COMMITTED}
    assert await stock(store, "A") == {"near": (0, 0), "far": (2, 0)}
    with pytest.raises(ReservationSettled) as refusal:
        await store.release(order_id)
    assert refusal.value.reason == "RESERVATION_COMMITTED"
    assert (await store.reserve(order_id, {"A": 8})).state is State.COMMITTED


async def test_there_is_nothing_to_commit_without_a_reservation(store: InventoryStore) -> None:
    """A commit never makes one."""
    with pytest.raises(ReservationNotFound):
        await store.commit(new_id())
    assert await store.reservation(new_id()) is None


async def test_reserve_and_release_at_once_end_with_nothing_held(store: InventoryStore) -> None:
    """Whichever is first."""
    await store.receive("A", 100, "", None)
    orders = [new_id() for _ in range(20)]
    asked = [work for order_id in orders for work in (store.reserve(order_id, {"A": 2}), store.release(order_id))]
    for outcome in await asyncio.gather(*asked, return_exceptions=True):
        assert not isinstance(outcome, BaseException) or isinstance(outcome, ReservationSettled), outcome
    assert await stock(store, "A") == {"near": (100, 0)}


async def test_commit_and_release_at_once_have_one_winner(store: InventoryStore) -> None:
    """The units leave or come back, never both."""
    await store.receive("A", 40, "", None)
    orders = [new_id() for _ in range(20)]
    for order_id in orders:
        await store.reserve(order_id, {"A": 2})
    asked = [work for order_id in orders for work in (store.commit(order_id), store.release(order_id))]
    outcomes = await asyncio.gather(*asked, return_exceptions=True)
    refused = [outcome for outcome in outcomes if isinstance(outcome, errors.Error)]
    assert len(refused) == len(orders)
    assert {type(outcome) for outcome in refused} == {ReservationSettled}
    states = [reservation.state for order_id in orders if (reservation := await store.reservation(order_id))]
    assert await stock(store, "A") == {"near": (40 - 2 * states.count(State.COMMITTED), 0)}
