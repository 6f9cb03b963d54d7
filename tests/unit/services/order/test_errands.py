"""What becomes of shipments, cancelled lines, returns and refunds when the others answer, refuse or are lost."""

from datetime import timedelta

import pytest

from mesh import errors
from services.common.money import Money
from services.order.domain import fulfilment, placing, refunds, returns
from services.order.domain.order import Line, Order, State
from services.order.domain.parts import Progress, ReturnState, ShipmentState, Units
from services.order.domain.returns import Inspection
from services.order.placement import Request
from services.order.ports import RefusedError
from services.order.saga import Saga
from tests.unit.services.order.fakes import CUSTOMER, NOW, Clock, FakeInventory, FakePayment, MemoryStore

NO = RefusedError("GATEWAY_REFUSED", "no")


class World:
    """A saga with all its fakes, and a confirmed order of 2 A at 5.00."""

    def __init__(self) -> None:
        """Everything works."""
        self.store = MemoryStore()
        self.inventory = FakeInventory()
        self.payment = FakePayment()
        self.saga = Saga(self.store, self.inventory, self.payment, Clock(), timedelta(minutes=10))

    async def confirmed(self) -> Order:
        """Place the order and have it confirmed."""
        order = placing.place("o1", CUSTOMER, (Line("A", 2, "p", "A", Money("EUR", 500)),), {}, NOW)
        await self.store.add(order, Request(CUSTOMER, [("A", 2)], {}, "tok_visa", "EUR", None, b""))
        return await self.saga.drive(order)

    async def done(self, order: Order) -> Order:
        """Commit a change and drive it."""
        await self.store.save(order)
        return await self.saga.drive(order)

    async def shipped(self, *units: Units) -> Order:
        """Have units shipped, or all."""
        return await self.done(asked(await self.confirmed(), *units))


def asked(order: Order, *units: Units, shipment_id: str = "s1") -> Order:
    """Ask for a shipment."""
    return fulfilment.request_shipment(order, shipment_id, fulfilment.Parcel(units, "", ""), NOW)


@pytest.fixture
def world() -> World:
    """Give each test its own."""
    return World()


async def test_a_shipment_takes_its_stock_and_its_money(world: World) -> None:
    """The last one tells payment that it is the last."""
    order = await world.shipped(Units("A", 1))
    order = await world.done(asked(order, shipment_id="s2"))
    assert world.inventory.moves == {"s1": ("commit", [Units("A", 1)]), "s2": ("commit", [Units("A", 1)])}
    assert world.payment.moves == {
        "s1": ("capture", Money("EUR", 500), False),
        "s2": ("capture", Money("EUR", 500), True),
    }
    assert order.state is State.SHIPPED


async def test_a_lost_reply_to_a_capture_is_asked_for_again_under_the_same_key(world: World) -> None:
    """The money is taken once."""
    confirmed = await world.confirmed()
    world.payment.lost_replies = 1
    with pytest.raises(errors.Unavailable):
        await world.done(asked(confirmed))
    order = await world.store.get("o1")
    assert order.shipments[0].state is ShipmentState.PENDING
    assert (await world.saga.drive(order)).state is State.SHIPPED
    assert list(world.payment.moves) == ["s1"]


async def test_stock_that_can_not_go_fails_the_shipment_before_money_is_taken(world: World) -> None:
    """Nothing has to be undone."""
    world.inventory.refusal = RefusedError("STOCK_BACKORDERED", "not there yet")
    order = await world.shipped()
    (shipment,) = order.shipments
    assert shipment.failure is not None
    assert (shipment.state, shipment.failure.reason) == (ShipmentState.FAILED, "STOCK_BACKORDERED")
    assert (order.state, world.payment.moves) == (State.CONFIRMED, {})


async def test_money_that_can_not_be_taken_leaves_the_stock_held(world: World) -> None:
    """The refusal is committed before: a gateway that changes its mind is not asked again."""
    world.payment.refusal = NO
    order = await world.shipped()
    assert order.shipments[0].state is ShipmentState.FAILED
    assert world.inventory.moves == {"s1": ("revert", [Units("A", 2)])}
    refused = next(each for each in world.store.history if each.shipments and each.shipments[0].failure)
    assert refused.shipments[0].state is ShipmentState.PENDING
    world.payment.refusal = None
    world.store.orders["o1"] = refused
    assert (await world.saga.drive(refused)).shipments[0].state is ShipmentState.FAILED
    assert world.payment.moves == {}


async def test_a_shipment_whose_money_was_refused_can_be_asked_for_again(world: World) -> None:
    """By a new one, when the card is in order."""
    world.payment.refusal = NO
    order = await world.shipped()
    world.payment.refusal = None
    order = await world.done(asked(order, shipment_id="s2"))
    assert (order.state, order.captured) == (State.SHIPPED, order.total)
    assert [each.state for each in order.shipments] == [ShipmentState.FAILED, ShipmentState.SHIPPED]


async def test_the_last_units_cancelled_end_the_hold_on_the_money(world: World) -> None:
    """Those before them don't: the final capture does."""
    order = await world.shipped(Units("A", 1))
    order = await world.done(fulfilment.request_line_cancellation(order, "c1", [Units("A", 1)], "", NOW))
    assert world.inventory.moves["c1"] == ("release", [Units("A", 1)])
    assert world.payment.given_up == ["payment-of-o1"]
    assert order.state is State.SHIPPED


async def test_units_cancelled_before_anything_shipped_keep_the_hold(world: World) -> None:
    """What is left of the order is still to be paid."""
    order = await world.confirmed()
    order = await world.done(fulfilment.request_line_cancellation(order, "c1", [Units("A", 1)], "", NOW))
    assert (order.state, world.payment.given_up) == (State.CONFIRMED, [])


async def test_what_comes_back_is_booked_in_if_it_can_be_sold_and_paid_back(world: World) -> None:
    """The return first, then its money, each committed."""
    order = returns.request_return(await world.shipped(), "r1", "s1", [Units("A", 2)], "", NOW)
    await world.store.save(order)
    order = await world.done(returns.approve(order, "r1", "", NOW))
    order = await world.done(returns.receive(order, "r1", [Inspection("A", 2, 1)], "", "f1", NOW))
    assert world.inventory.moves["r1"] == ("take back", [Units("A", 1)])
    assert world.payment.moves["f1"] == ("refund", Money("EUR", 1000), False)
    assert (order.returns[0].state, order.refunds[0].state) == (ReturnState.COMPLETED, Progress.COMPLETED)


async def test_a_refused_refund_says_why_and_gives_nothing_back(world: World) -> None:
    """It can be asked for again by another one."""
    order = await world.shipped()
    world.payment.refusal = NO
    order = await world.done(refunds.request_refund(order, "f1", None, "", NOW))
    assert order.refunds[0].failure is not None
    assert (order.refunds[0].state, order.refunds[0].failure.reason) == (Progress.FAILED, "GATEWAY_REFUSED")
    assert (order.settled, order.refunded) == (True, Money("EUR", 0))
    world.payment.refusal = None
    order = await world.done(refunds.request_refund(order, "f2", None, "", NOW))
    assert order.refunded == order.total
