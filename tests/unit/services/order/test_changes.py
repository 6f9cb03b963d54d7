"""Changing an order: once for each request, on what was seen, one change after the other."""

import asyncio
from datetime import datetime, timedelta

import pytest

from services.common.money import Money
from services.order.changes import Changes, Key, Terms
from services.order.domain import fulfilment, placing
from services.order.domain.errors import IdempotencyKeyReused, OrderBusy, OrderChanged, OrderNotCancellable
from services.order.domain.order import Line, Order, State
from services.order.domain.parts import Units
from services.order.drives import Drives
from services.order.placement import Request
from services.order.saga import Saga
from tests.unit.services.order.fakes import CUSTOMER, NOW, Clock, FakeInventory, FakePayment, MemoryStore

ONE = fulfilment.Parcel((Units("A", 1),), "", "")


def ship(order: Order, part_id: str, now: datetime) -> Order:
    """Ask for a shipment of one unit."""
    return fulfilment.request_shipment(order, part_id, ONE, now)


def cancel(order: Order, _: str, now: datetime) -> Order:
    """Ask for the order to be cancelled."""
    return placing.request_cancellation(order, "", now)


class World:
    """Changes with all their fakes."""

    def __init__(self) -> None:
        """Everything works."""
        self.store = MemoryStore()
        self.inventory = FakeInventory()
        saga = Saga(self.store, self.inventory, FakePayment(), Clock(), timedelta(minutes=10))
        self.drives = Drives(saga, self.store)
        self.ids = iter(f"part-{n}" for n in range(1, 100))
        self.changes = Changes(self.store, self.drives, Clock(), lambda: next(self.ids))

    async def confirmed(self) -> Order:
        """Place an order of 3 A and have it confirmed."""
        order = placing.place("o1", CUSTOMER, (Line("A", 3, "p", "A", Money("EUR", 500)),), {}, NOW)
        await self.store.add(order, Request(CUSTOMER, [("A", 3)], {}, "tok_visa", "EUR", None, b""))
        return await self.drives.drive(order, 1)


@pytest.fixture
def world() -> World:
    """Give each test its own."""
    return World()


async def test_a_repeated_request_gets_the_part_it_made(world: World) -> None:
    """With its outcome, and without a second one."""
    order = await world.confirmed()
    terms = Terms(1, key=Key("k1", b"one"))
    first = await world.changes.make(order, ship, terms)
    again = await world.changes.make(order, ship, terms)
    assert first == again
    assert len(again[0].shipments) == 1


async def test_a_key_with_other_content_is_refused(world: World) -> None:
    """Silently giving the first part would lose the second."""
    order = await world.confirmed()
    await world.changes.make(order, ship, Terms(1, key=Key("k1", b"one")))
    with pytest.raises(IdempotencyKeyReused):
        await world.changes.make(order, ship, Terms(1, key=Key("k1", b"other")))


async def test_requests_at_once_are_done_one_after_the_other(world: World) -> None:
    """Each waits for the one before it."""
    order = await world.confirmed()
    await asyncio.gather(*(world.changes.make(order, ship, Terms(5)) for _ in range(3)))
    now = await world.store.get("o1")
    assert (now.state, len(now.shipments), [each.final for each in now.shipments]) == (
        State.SHIPPED,
        3,
        [False, False, True],
    )


async def test_a_change_that_takes_too_long_turns_the_next_away(world: World) -> None:
    """It may be sent again."""
    confirmed = await world.confirmed()
    world.inventory.away = 1
    order, _ = await world.changes.make(confirmed, ship, Terms(1))
    assert order.under_way is not None
    with pytest.raises(OrderBusy):
        await world.changes.make(order, ship, Terms(0.05))


async def test_of_a_cancellation_and_a_shipment_at_once_the_later_is_told(world: World) -> None:
    """By an error about what the order has become."""
    order = await world.confirmed()
    outcomes = await asyncio.gather(
        world.changes.make(order, ship, Terms(1)), world.changes.make(order, cancel, Terms(1)), return_exceptions=True
    )
    assert [type(outcome) for outcome in outcomes] == [tuple, OrderNotCancellable]
    assert (await world.store.get("o1")).state is State.PARTIALLY_SHIPPED


async def test_whoever_has_not_seen_the_order_as_it_is_changes_nothing(world: World) -> None:
    """An etag of before is refused before any other reason is."""
    order = await world.confirmed()
    await world.changes.make(order, cancel, Terms(1, etag=order.etag))
    now = await world.store.get("o1")
    with pytest.raises(OrderChanged):
        await world.changes.make(now, ship, Terms(1, etag=order.etag))
