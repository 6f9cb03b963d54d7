"""Placing the same order once, whoever asks how often."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from services.order.changes import Changes, Terms
from services.order.domain import placing
from services.order.domain.errors import IdempotencyKeyReused, OrderChanged, UnknownSku
from services.order.domain.order import Order, State
from services.order.domain.pricing import FlatRateShipping, RegionalTax
from services.order.drives import Drives
from services.order.placement import Placement, Request
from services.order.saga import Saga
from tests.unit.services.order.fakes import CUSTOMER, Clock, FakeCatalogue, FakeInventory, FakePayment, MemoryStore

REQUEST = Request(CUSTOMER, [("A", 1)], {}, "tok_visa", "EUR", "key-1", b"content")


class World:
    """A placement with all its fakes."""

    def __init__(self) -> None:
        """Everything works."""
        self.store = MemoryStore()
        self.catalogue = FakeCatalogue()
        self.inventory = FakeInventory()
        self.payment = FakePayment()
        self.clock = Clock()
        saga = Saga(self.store, self.inventory, self.payment, self.clock, timedelta(minutes=10))
        self.drives = Drives(saga, self.store)
        self.ids = iter(f"o{n}" for n in range(1, 100))
        self.placement = Placement(
            self.store,
            self.catalogue,
            FlatRateShipping({}),
            RegionalTax({}),
            self.drives,
            self.clock,
            lambda: next(self.ids),
        )
        self.changes = Changes(self.store, self.drives, self.clock, lambda: next(self.ids))

    async def cancel(self, order: Order, etag: str = "") -> Order:
        """Cancel an order, which stays so when it is."""

        def decide(now: Order, _: str, at: datetime) -> Order:
            gone = now.state in {State.CANCELLING, State.CANCELLED}
            return now if gone else placing.request_cancellation(now, "why", at)

        cancelled, _ = await self.changes.make(order, decide, Terms(1, etag))
        return cancelled


@pytest.fixture
def world() -> World:
    """Give each test its own."""
    return World()


async def test_the_same_key_gives_the_same_order(world: World) -> None:
    """One order, one authorization."""
    first = await world.placement.place(REQUEST, 1)
    second = await world.placement.place(REQUEST, 1)
    assert first == second
    assert world.payment.authorizations == [first.id]


async def test_the_same_key_twice_at_once_gives_both_the_same_settled_answer(world: World) -> None:
    """The second waits for the first's outcome."""
    first, second = await asyncio.gather(world.placement.place(REQUEST, 1), world.placement.place(REQUEST, 1))
    assert first == second
    assert first.state is State.CONFIRMED
    assert len(world.store.orders) == 1


async def test_the_same_key_with_other_content_is_refused(world: World) -> None:
    """Silently giving the first order would lose the second."""
    await world.placement.place(REQUEST, 1)
    with pytest.raises(IdempotencyKeyReused):
        await world.placement.place(replace(REQUEST, fingerprint=b"other"), 1)


async def test_the_same_key_of_another_customer_is_another_order(world: World) -> None:
    """Keys belong to a customer."""
    first = await world.placement.place(REQUEST, 1)
    second = await world.placement.place(replace(REQUEST, customer_id="somebody-else"), 1)
    assert first.id != second.id


async def test_without_a_key_each_request_is_an_order(world: World) -> None:
    """The caller asked for no protection."""
    request = replace(REQUEST, idempotency_key=None)
    assert (await world.placement.place(request, 1)).id != (await world.placement.place(request, 1)).id


async def test_a_repeated_request_gets_its_answer_though_the_product_is_gone(world: World) -> None:
    """What was sold then is not asked again."""
    first = await world.placement.place(REQUEST, 1)
    world.catalogue.empty = True
    assert await world.placement.place(REQUEST, 1) == first


async def test_an_unknown_sku_is_refused_and_no_order_is_made(world: World) -> None:
    """The error names the line."""
    world.catalogue.empty = True
    with pytest.raises(UnknownSku) as refusal:
        await world.placement.place(REQUEST, 1)
    assert refusal.value.violations[0].field == "lines[0].sku"
    assert world.store.orders == {}


async def test_an_order_whose_drive_meets_a_fault_is_answered_pending_and_left_to_recovery(world: World) -> None:
    """The caller gets the order, not an error that hides it."""
    world.inventory.away = 1
    order = await world.placement.place(REQUEST, 1)
    assert order.state is State.PENDING
    assert world.store.unleased == [order.id]


async def test_cancelling_twice_is_cancelling_once(world: World) -> None:
    """The second call gives the order as it is, whatever its etag."""
    order = await world.placement.place(REQUEST, 1)
    first = await world.cancel(order)
    second = await world.cancel(first, order.etag)
    assert first == second
    assert first.state is State.CANCELLED


async def test_a_stale_etag_is_refused(world: World) -> None:
    """The caller decided on what is no longer so."""
    order = await world.placement.place(REQUEST, 1)
    with pytest.raises(OrderChanged):
        await world.cancel(order, "1")
