"""Units that come back: the customer asks, staff decide, and what arrives is looked at and paid back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from services.common.money import Money
from services.order.domain.errors import (
    OrderBusy,
    OrderNotReturnable,
    ReturnNotFound,
    ReturnSettled,
    SkuNotInOrder,
    UnitsNotLeft,
)
from services.order.domain.fulfilment import find_shipment
from services.order.domain.order import Order
from services.order.domain.parts import (
    Progress,
    Refund,
    Return,
    ReturnLine,
    ReturnState,
    Shipment,
    ShipmentState,
    Units,
)
from services.order.domain.refunds import refundable
from services.order.domain.shares import refund_of
from services.order.domain.transitions import Transition, may, moved

_COMES = frozenset({ReturnState.REQUESTED, ReturnState.APPROVED})


@dataclass(frozen=True, slots=True)
class Inspection:
    """How many units of a SKU came, and how many of those can be sold again."""

    sku: str
    received: int
    restocked: int


def request_return(  # noqa: PLR0913, PLR0917 - all that a return begins with
    order: Order, return_id: str, shipment_id: str, units: Sequence[Units], reason: str, now: datetime
) -> Order:
    """Somebody wants to send units back. Raises OrderNotReturnable, ShipmentNotFound, SkuNotInOrder, UnitsNotLeft."""
    if not may(order, Transition.REQUEST_RETURN):
        raise OrderNotReturnable(order.id, order.state)
    shipment = find_shipment(order, shipment_id)
    if shipment.state not in {ShipmentState.SHIPPED, ShipmentState.DELIVERED}:
        raise OrderNotReturnable(order.id, f"in a shipment that is {shipment.state}")
    _check_can_come(order, shipment, units)
    wanted = tuple(ReturnLine(each.sku, each.quantity) for each in units)
    asked = Return(return_id, shipment_id, ReturnState.REQUESTED, wanted, reason, now, now)
    return moved(order, Transition.REQUEST_RETURN, now, return_id, returns=(*order.returns, asked))


def approve(order: Order, return_id: str, note: str, now: datetime) -> Order:
    """They may be sent back; approved already, this changes nothing. Raises ReturnNotFound, ReturnSettled."""
    return _decided(order, return_id, Transition.APPROVE_RETURN, ReturnState.APPROVED, note, now)


def reject(order: Order, return_id: str, note: str, now: datetime) -> Order:
    """They may not; rejected already, this changes nothing. Raises ReturnNotFound, ReturnSettled."""
    return _decided(order, return_id, Transition.REJECT_RETURN, ReturnState.REJECTED, note, now)


def receive(  # noqa: PLR0913, PLR0917 - what was seen, and what it is called
    order: Order, return_id: str, found: Sequence[Inspection], note: str, refund_id: str, now: datetime
) -> Order:
    """They came and were looked at; received already, this changes nothing.

    The refund, if there is money to give back, begins with it. Raises ReturnNotFound, ReturnSettled, OrderBusy,
    SkuNotInOrder, UnitsNotLeft.
    """
    back = find_return(order, return_id)
    if back.state in {ReturnState.RECEIVED, ReturnState.COMPLETED}:
        return order
    if back.state is not ReturnState.APPROVED:
        raise ReturnSettled(return_id, back.state)
    if order.under_way is not None:
        raise OrderBusy(order.id)
    _check_expected(order, back, found)
    shipment = find_shipment(order, back.shipment_id)
    refund = _refund(order, shipment, back, found, refund_id, now)
    seen = {each.sku: each for each in found}
    lines = tuple(
        replace(line, received=seen[line.sku].received, restocked=seen[line.sku].restocked)
        if line.sku in seen
        else line
        for line in back.lines
    )
    received = replace(
        back,
        state=ReturnState.RECEIVED,
        lines=lines,
        note=note or back.note,
        refund_id=refund.id if refund else "",
        update_time=now,
    )
    came = {each.sku: each.received for each in found}
    return moved(
        order,
        Transition.RECEIVE_RETURN,
        now,
        return_id,
        lines=tuple(replace(line, returned=line.returned + came.get(line.sku, 0)) for line in order.lines),
        shipments=tuple(_came_back(each, came) if each.id == shipment.id else each for each in order.shipments),
        returns=_with(order, received),
        refunds=(*order.refunds, refund) if refund else order.refunds,
    )


def complete(order: Order, back: Return, now: datetime) -> Order:
    """What can be sold again is booked in."""
    done = replace(back, state=ReturnState.COMPLETED, update_time=now)
    return moved(order, Transition.COMPLETE_RETURN, now, back.id, returns=_with(order, done))


def find_return(order: Order, return_id: str) -> Return:
    """Find a return of the order. Raises ReturnNotFound."""
    found = next((each for each in order.returns if each.id == return_id), None)
    if found is None:
        raise ReturnNotFound(order.id, return_id)
    return found


def _decided(  # noqa: PLR0913, PLR0917 - both decisions in one place
    order: Order, return_id: str, transition: Transition, state: ReturnState, note: str, now: datetime
) -> Order:
    back = find_return(order, return_id)
    if back.state is state:
        return order
    if back.state is not ReturnState.REQUESTED:
        raise ReturnSettled(return_id, back.state)
    decided = replace(back, state=state, note=note, update_time=now)
    return moved(order, transition, now, return_id, returns=_with(order, decided))


def _refund(  # noqa: PLR0913, PLR0917 - what it is for
    order: Order, shipment: Shipment, back: Return, found: Sequence[Inspection], refund_id: str, now: datetime
) -> Refund | None:
    lines = {line.sku: line for line in shipment.lines}
    amount = order.sum(refund_of(lines[each.sku], each.received) for each in found)
    # Somebody may have been generous before: never more than what is left.
    amount = min(amount, refundable(order), key=lambda money: money.minor_units)
    if not amount:
        return None
    return Refund(refund_id, Progress.PENDING, Money(amount.currency_code, amount.minor_units), "return", now, back.id)


def _came_back(shipment: Shipment, came: Mapping[str, int]) -> Shipment:
    lines = (replace(line, returned=line.returned + came.get(line.sku, 0)) for line in shipment.lines)
    return replace(shipment, lines=tuple(lines))


def _check_can_come(order: Order, shipment: Shipment, units: Sequence[Units]) -> None:
    """Units that are on their way back, or came, can't come once more."""
    left = {line.sku: line.quantity - line.returned for line in shipment.lines}
    for other in order.returns:
        if other.shipment_id == shipment.id and other.state in _COMES:
            for line in other.lines:
                left[line.sku] -= line.quantity
    if unknown := [at for at, each in enumerate(units) if each.sku not in left]:
        raise SkuNotInOrder(order.id, unknown)
    if short := {at: left[each.sku] for at, each in enumerate(units) if each.quantity > left[each.sku]}:
        raise UnitsNotLeft(order.id, short)


def _check_expected(order: Order, back: Return, found: Sequence[Inspection]) -> None:
    expected = {line.sku: line.quantity for line in back.lines}
    if unknown := [at for at, each in enumerate(found) if each.sku not in expected]:
        raise SkuNotInOrder(order.id, unknown)
    if more := {at: expected[each.sku] for at, each in enumerate(found) if each.received > expected[each.sku]}:
        raise UnitsNotLeft(order.id, more)


def _with(order: Order, back: Return) -> tuple[Return, ...]:
    return tuple(back if each.id == back.id else each for each in order.returns)
