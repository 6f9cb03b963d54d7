"""What becomes of an order when the others answer, refuse, are away or lose their answer."""

from dataclasses import replace
from datetime import timedelta

import pytest

from mesh import errors
from services.common.money import Money
from services.order.domain import placing as orders
from services.order.domain.order import Line, Order, State
from services.order.placement import Request
from services.order.recovery import Recovery
from services.order.saga import Saga
from tests.unit.services.order.fakes import CUSTOMER, NOW, Clock, FakeInventory, FakePayment, MemoryStore


class World:
    """A saga with all its fakes."""

    def __init__(self) -> None:
        """Everything works."""
        self.store = MemoryStore()
        self.inventory = FakeInventory()
        self.payment = FakePayment()
        self.clock = Clock()
        self.saga = Saga(self.store, self.inventory, self.payment, self.clock, timedelta(minutes=10))

    async def placed(self) -> Order:
        """Commit a PENDING order."""
        order = orders.place("o1", CUSTOMER, (Line("A", 1, "p", "A", Money("EUR", 500)),), {}, NOW)
        await self.store.add(order, Request(CUSTOMER, [("A", 1)], {}, "tok_visa", "EUR", None, b""))
        return order

    def state(self, order_id: str) -> State:
        """Where an order stands now."""
        return self.store.orders[order_id].state

    def nothing_is_held(self) -> bool:
        """Whether neither stock nor money is held."""
        return not self.inventory.held and not self.payment.held


@pytest.fixture
def world() -> World:
    """Give each test its own."""
    return World()


async def test_an_order_is_confirmed_with_stock_held_and_money_authorized_once(world: World) -> None:
    """The good case, each outcome committed before the next step."""
    order = await world.saga.drive(await world.placed())
    assert order.state is State.CONFIRMED
    assert [o.version for o in world.store.history] == [1, 2, 3]
    assert world.inventory.held == {"o1"}
    assert world.payment.authorizations == ["o1"]


async def test_an_order_out_of_stock_is_rejected_and_payment_is_never_asked(world: World) -> None:
    """The reason names the SKUs."""
    world.inventory.short = ["A"]
    order = await world.saga.drive(await world.placed())
    assert order.state is State.REJECTED
    assert order.rejection is not None
    assert order.rejection.reason == "OUT_OF_STOCK"
    assert "A" in order.rejection.message
    assert world.payment.authorizations == []


async def test_a_declined_card_leaves_no_stock_held(world: World) -> None:
    """The reservation is given back before the rejection is committed."""
    world.payment.failure = "CARD_DECLINED"
    order = await world.saga.drive(await world.placed())
    assert order.state is State.REJECTED
    assert order.rejection is not None
    assert order.rejection.reason == "CARD_DECLINED"
    assert world.nothing_is_held()


async def test_a_lost_reply_of_payment_is_resolved_by_asking_again_not_by_guessing(world: World) -> None:
    """Driven on by recovery, the order is confirmed with the one authorization that was made."""
    world.payment.lost_replies = 1
    with pytest.raises(errors.Unavailable):
        await world.saga.drive(await world.placed())
    assert world.state("o1") is State.PENDING
    await Recovery(world.saga, world.store, timedelta(seconds=1), timedelta(seconds=2)).once()
    assert world.state("o1") is State.CONFIRMED
    assert world.payment.authorizations == ["o1"]


async def test_recovery_leaves_an_order_pending_while_inventory_is_away(world: World) -> None:
    """Nothing is decided on silence."""
    world.inventory.away = 1
    await world.placed()
    recovery = Recovery(world.saga, world.store, timedelta(seconds=1), timedelta(seconds=2))
    await recovery.once()
    assert world.state("o1") is State.PENDING
    await recovery.once()
    assert world.state("o1") is State.CONFIRMED


async def test_an_order_that_can_not_be_completed_in_time_is_rejected_with_nothing_held(world: World) -> None:
    """Giving up compensates whatever may have been begun."""
    world.payment.lost_replies = 1
    with pytest.raises(errors.Unavailable):
        await world.saga.drive(await world.placed())
    world.clock.pass_by(timedelta(minutes=11))
    order = await world.saga.drive(world.store.orders["o1"])
    assert order.state is State.REJECTED
    assert order.rejection is not None
    assert order.rejection.reason == "TIMED_OUT"
    assert world.nothing_is_held()


async def test_a_cancellation_that_overtakes_the_saga_wins_and_nothing_stays_held(world: World) -> None:
    """The saga's own commit fails on the version, and it goes on with what the order is now."""
    pending = await world.placed()
    await world.store.save(orders.request_cancellation(pending, "changed my mind", NOW))
    order = await world.saga.drive(pending)
    assert order.state is State.CANCELLED
    assert world.nothing_is_held()


async def test_cancelling_a_confirmed_order_gives_stock_and_money_back(world: World) -> None:
    """Both are told before the order is CANCELLED."""
    confirmed = await world.saga.drive(await world.placed())
    cancelling = orders.request_cancellation(confirmed, "", NOW)
    await world.store.save(cancelling)
    assert (await world.saga.drive(cancelling)).state is State.CANCELLED
    assert world.nothing_is_held()


async def test_driving_a_settled_order_does_nothing(world: World) -> None:
    """A doubled drive costs nothing and commits nothing."""
    confirmed = await world.saga.drive(await world.placed())
    before = len(world.store.history)
    assert await world.saga.drive(confirmed) == confirmed
    assert len(world.store.history) == before


async def test_inventory_is_told_where_the_order_goes(world: World) -> None:
    """It may take stock from the nearest warehouse."""
    placed = await world.placed()
    await world.saga.drive(replace(placed, shipping_address={"region_code": "FR"}))
    assert world.inventory.regions == ["FR"]
