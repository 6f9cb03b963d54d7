"""Shipping, cancelling lines, returning and refunding: what is refused, and what each changes."""

from dataclasses import replace

import pytest

from services.common.money import Money
from services.order.domain import fulfilment, placing, refunds, returns
from services.order.domain.errors import (
    OrderBusy,
    OrderNotCancellable,
    OrderNotRefundable,
    OrderNotReturnable,
    OrderNotShippable,
    RefundCurrencyDiffers,
    RefundTooMuch,
    ReturnNotFound,
    ReturnSettled,
    ShipmentNotDeliverable,
    ShipmentNotFound,
    SkuNotInOrder,
    UnitsNotLeft,
)
from services.order.domain.fulfilment import Parcel
from services.order.domain.order import Line, Order, State
from services.order.domain.parts import Rejection, ReturnState, ShipmentState, Units
from services.order.domain.returns import Inspection
from tests.unit.services.order.fakes import CUSTOMER, NOW

ALL = Parcel((), "dhl", "00340434")


def confirmed() -> Order:
    """An order of 3 A at 10.00 and 1 B at 5.00."""
    lines = (Line("A", 3, "p", "A", Money("EUR", 1000)), Line("B", 1, "p", "B", Money("EUR", 500)))
    order = placing.reserve_stock(placing.place("o1", CUSTOMER, lines, {}, NOW), "res", NOW)
    return placing.confirm(order, "pay", NOW)


def asked(order: Order, shipment_id: str = "s1", **units: int) -> Order:
    """Ask for a shipment of units, or of all that is left."""
    parcel = Parcel(tuple(Units(sku, quantity) for sku, quantity in units.items()), "dhl", "1")
    return fulfilment.request_shipment(order, shipment_id, parcel, NOW)


def shipped(order: Order, shipment_id: str = "s1", **units: int) -> Order:
    """Ship units, or all that is left."""
    order = asked(order, shipment_id, **units)
    return fulfilment.ship(order, order.shipments[-1], NOW)


def returned(order: Order, **units: int) -> Order:
    """Ask to return units of the first shipment, and approve it."""
    wanted = [Units(sku, quantity) for sku, quantity in units.items()]
    return returns.approve(returns.request_return(order, "r1", "s1", wanted, "", NOW), "r1", "", NOW)


def test_a_shipment_without_lines_takes_all_that_is_left() -> None:
    """And is the final one."""
    order = shipped(shipped(confirmed(), A=2), "s2")
    first, second = order.shipments
    assert [(line.sku, line.quantity) for line in second.lines] == [("A", 1), ("B", 1)]
    assert (first.final, second.final) == (False, True)
    assert (order.state, order.captured) == (State.SHIPPED, order.total)


def test_an_order_ships_in_parts_and_arrives_in_parts() -> None:
    """Its state follows from what is left and what is on its way."""
    order = shipped(confirmed(), A=3)
    states = [order.state]
    order = fulfilment.deliver(order, "s1", NOW)
    order = shipped(order, "s2")
    states.append(order.state)
    order = fulfilment.deliver(order, "s2", NOW)
    assert [*states, order.state] == [State.PARTIALLY_SHIPPED, State.SHIPPED, State.DELIVERED]
    assert fulfilment.deliver(order, "s2", NOW) is order


def test_nothing_else_begins_while_a_shipment_is_under_way() -> None:
    """Not another one, no cancellation; whoever asks may come again."""
    order = asked(confirmed(), A=1)
    assert not order.settled
    with pytest.raises(OrderBusy):
        asked(order, "s2", A=1)
    with pytest.raises(OrderBusy):
        placing.request_cancellation(order, "", NOW)
    with pytest.raises(OrderBusy):
        fulfilment.request_line_cancellation(order, "c1", [Units("A", 1)], "", NOW)


def test_more_units_than_are_left_are_refused_by_their_line() -> None:
    """Shipped and cancelled ones are gone."""
    order = shipped(confirmed(), A=2)
    with pytest.raises(UnitsNotLeft) as refusal:
        asked(order, "s2", B=1, A=2)
    assert [each.field for each in refusal.value.violations] == ["lines[1].quantity"]
    with pytest.raises(SkuNotInOrder) as unknown:
        asked(order, "s2", B=1, C=1)
    assert [each.field for each in unknown.value.violations] == ["lines[1].sku"]


def test_what_has_shipped_can_not_be_cancelled_but_the_rest_can() -> None:
    """After which nothing is left to ship, and the hold on the rest of the money ends."""
    order = shipped(confirmed(), A=2)
    with pytest.raises(OrderNotCancellable):
        placing.request_cancellation(order, "", NOW)
    order = fulfilment.request_line_cancellation(order, "c1", [Units("A", 1), Units("B", 1)], "", NOW)
    (cancellation,) = order.line_cancellations
    assert (cancellation.final, cancellation.amount) == (True, Money("EUR", 1500))
    assert fulfilment.cancel_lines(order, cancellation, NOW).state is State.SHIPPED
    arrived = fulfilment.deliver(replace(order, line_cancellations=()), "s1", NOW)
    assert fulfilment.cancel_lines(arrived, cancellation, NOW).state is State.DELIVERED


def test_cancelling_every_line_is_cancelling_the_order() -> None:
    """Which is another request: it ends with nothing held."""
    with pytest.raises(OrderNotCancellable, match="cancel the order instead"):
        fulfilment.request_line_cancellation(confirmed(), "c1", [Units("A", 3), Units("B", 1)], "", NOW)


def test_a_shipment_that_failed_leaves_its_units_to_ship() -> None:
    """It says why, and the order can still be cancelled."""
    order = asked(confirmed())
    order = fulfilment.fail_shipment(order, order.shipments[0], Rejection("STOCK_BACKORDERED", "later"), NOW)
    assert (order.state, order.left, order.captured) == (State.CONFIRMED, 4, Money("EUR", 0))
    with pytest.raises(ShipmentNotDeliverable):
        fulfilment.deliver(order, "s1", NOW)
    assert placing.request_cancellation(order, "", NOW).state is State.CANCELLING
    assert shipped(order, "s2").state is State.SHIPPED


def test_only_a_confirmed_order_ships() -> None:
    """A cancelled one never."""
    order = placing.cancel(placing.request_cancellation(confirmed(), "", NOW), NOW)
    with pytest.raises(OrderNotShippable):
        fulfilment.request_shipment(order, "s1", ALL, NOW)
    with pytest.raises(OrderNotReturnable):
        returns.request_return(order, "r1", "s1", [Units("A", 1)], "", NOW)
    with pytest.raises(OrderNotRefundable):
        refunds.request_refund(order, "f1", None, "", NOW)


def test_a_return_pays_back_what_came_and_counts_it() -> None:
    """Fewer may come than were announced, and fewer still be as good as new."""
    order = returned(shipped(confirmed()), A=3)
    order = returns.receive(order, "r1", [Inspection("A", 2, 1)], "one is missing", "f1", NOW)
    (back,), (refund,) = order.returns, order.refunds
    assert (back.state, back.refund_id, back.note) == (ReturnState.RECEIVED, "f1", "one is missing")
    assert (refund.amount, refund.return_id) == (Money("EUR", 2000), "r1")
    assert (order.lines[0].returned, order.shipments[0].lines[0].returned) == (2, 2)
    assert order.under_way is back
    order = returns.complete(order, back, NOW)
    assert order.under_way is refund
    order = refunds.refund(order, refund, NOW)
    assert (order.settled, order.refunded) == (True, Money("EUR", 2000))


def test_units_come_back_once() -> None:
    """Also while they are on their way, and not more than are expected."""
    order = returned(shipped(confirmed()), A=2)
    with pytest.raises(UnitsNotLeft):
        returns.request_return(order, "r2", "s1", [Units("A", 2)], "", NOW)
    with pytest.raises(UnitsNotLeft):
        returns.receive(order, "r1", [Inspection("A", 3, 0)], "", "f1", NOW)
    with pytest.raises(SkuNotInOrder):
        returns.receive(order, "r1", [Inspection("B", 1, 0)], "", "f1", NOW)
    received = returns.receive(order, "r1", [Inspection("A", 2, 2)], "", "f1", NOW)
    assert returns.receive(received, "r1", [Inspection("A", 2, 2)], "", "f2", NOW) is received


def test_a_return_is_decided_once() -> None:
    """Deciding the same again changes nothing; another decision is refused."""
    order = returned(shipped(confirmed()), A=1)
    assert returns.approve(order, "r1", "", NOW) is order
    with pytest.raises(ReturnSettled):
        returns.reject(order, "r1", "", NOW)
    with pytest.raises(ReturnNotFound):
        returns.approve(order, "r2", "", NOW)


def test_what_failed_to_ship_or_never_did_does_not_come_back() -> None:
    """There is nothing to send back."""
    order = shipped(confirmed(), A=1)
    with pytest.raises(ShipmentNotFound):
        returns.request_return(order, "r1", "s2", [Units("A", 1)], "", NOW)
    with pytest.raises(SkuNotInOrder):
        returns.request_return(order, "r1", "s1", [Units("B", 1)], "", NOW)
    failed = asked(order, "s2")
    failed = fulfilment.fail_shipment(failed, failed.shipments[1], Rejection("R", ""), NOW)
    assert failed.shipments[1].state is ShipmentState.FAILED
    with pytest.raises(OrderNotReturnable):
        returns.request_return(failed, "r1", "s2", [Units("A", 1)], "", NOW)


def test_refunds_end_where_the_money_ends() -> None:
    """Without an amount all that is left; a return then pays what is left of it, which may be nothing."""
    order = shipped(confirmed())
    with pytest.raises(RefundTooMuch):
        refunds.request_refund(order, "f1", Money("EUR", 3501), "", NOW)
    with pytest.raises(RefundCurrencyDiffers):
        refunds.request_refund(order, "f1", Money("USD", 1), "", NOW)
    order = refunds.request_refund(order, "f1", None, "sorry", NOW)
    assert order.refunds[0].amount == order.total
    order = refunds.refund(order, order.refunds[0], NOW)
    with pytest.raises(RefundTooMuch):
        refunds.request_refund(order, "f2", None, "", NOW)
    order = returns.receive(returned(order, A=1), "r1", [Inspection("A", 1, 1)], "", "f3", NOW)
    assert (len(order.refunds), order.returns[0].refund_id) == (1, "")
