"""Shipping an order in one or more parcels, and cancelling what is not shipped yet."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from services.order.domain.errors import (
    OrderBusy,
    OrderNotCancellable,
    OrderNotShippable,
    ShipmentNotDeliverable,
    ShipmentNotFound,
    SkuNotInOrder,
    UnitsNotLeft,
)
from services.order.domain.order import Line, Order
from services.order.domain.parts import LineCancellation, Progress, Rejection, Shipment, ShipmentState, Units
from services.order.domain.shares import share_of
from services.order.domain.transitions import Transition, may, moved


@dataclass(frozen=True, slots=True)
class Parcel:
    """What is to be sent, by whom; without units, all that is left."""

    units: tuple[Units, ...]
    carrier: str
    tracking_number: str


def request_shipment(order: Order, shipment_id: str, parcel: Parcel, now: datetime) -> Order:
    """Somebody wants units sent. Raises OrderNotShippable, OrderBusy, SkuNotInOrder, UnitsNotLeft."""
    if not may(order, Transition.REQUEST_SHIPMENT):
        raise OrderNotShippable(order.id, order.state)
    if order.under_way is not None:
        raise OrderBusy(order.id)
    units = parcel.units or tuple(Units(line.sku, line.left) for line in order.lines if line.left)
    _check_left(order, units)
    share = share_of(order, units)
    shipment = Shipment(
        id=shipment_id,
        state=ShipmentState.PENDING,
        lines=share.lines,
        carrier=parcel.carrier,
        tracking_number=parcel.tracking_number,
        amount=share.amount,
        final=order.left == _count(units),
        create_time=now,
    )
    return moved(order, Transition.REQUEST_SHIPMENT, now, shipment_id, shipments=(*order.shipments, shipment))


def ship(order: Order, shipment: Shipment, now: datetime) -> Order:
    """The stock left and the money was taken."""
    sent = replace(shipment, state=ShipmentState.SHIPPED, ship_time=now)
    gone = {line.sku: line.quantity for line in shipment.lines}
    lines = tuple(replace(line, shipped=line.shipped + gone.get(line.sku, 0)) for line in order.lines)
    return moved(order, Transition.SHIP, now, shipment.id, lines=lines, shipments=_with(order, sent))


def refuse_shipment(order: Order, shipment: Shipment, failure: Rejection, now: datetime) -> Order:
    """Its money can't be taken: that is decided now, and its stock is to be held again."""
    refused = replace(shipment, failure=failure)
    return moved(order, Transition.REFUSE_SHIPMENT, now, shipment.id, shipments=_with(order, refused))


def fail_shipment(order: Order, shipment: Shipment, failure: Rejection, now: datetime) -> Order:
    """It can't be sent; the caller has made sure that no stock left and no money was taken."""
    failed = replace(shipment, state=ShipmentState.FAILED, failure=failure)
    return moved(order, Transition.FAIL_SHIPMENT, now, shipment.id, shipments=_with(order, failed))


def deliver(order: Order, shipment_id: str, now: datetime) -> Order:
    """It arrived; once it did, this changes nothing. Raises ShipmentNotFound, ShipmentNotDeliverable."""
    shipment = find_shipment(order, shipment_id)
    if shipment.state is ShipmentState.DELIVERED:
        return order
    if shipment.state is not ShipmentState.SHIPPED:
        raise ShipmentNotDeliverable(shipment_id, shipment.state)
    arrived = replace(shipment, state=ShipmentState.DELIVERED, deliver_time=now)
    return moved(order, Transition.DELIVER, now, shipment_id, shipments=_with(order, arrived))


def request_line_cancellation(
    order: Order, cancellation_id: str, units: Sequence[Units], reason: str, now: datetime
) -> Order:
    """Somebody does not want units. Raises OrderNotCancellable, OrderBusy, SkuNotInOrder, UnitsNotLeft."""
    if not may(order, Transition.REQUEST_LINE_CANCELLATION):
        raise OrderNotCancellable(order.id, order.state)
    if order.under_way is not None:
        raise OrderBusy(order.id)
    _check_left(order, units)
    final = order.left == _count(units)
    if final and not any(line.shipped for line in order.lines):
        raise OrderNotCancellable(order.id, order.state, "nothing would be left of it: cancel the order instead")
    cancellation = LineCancellation(
        id=cancellation_id,
        state=Progress.PENDING,
        lines=tuple(units),
        reason=reason,
        amount=share_of(order, units).amount,
        final=final,
        create_time=now,
    )
    cancellations = (*order.line_cancellations, cancellation)
    return moved(order, Transition.REQUEST_LINE_CANCELLATION, now, cancellation_id, line_cancellations=cancellations)


def cancel_lines(order: Order, cancellation: LineCancellation, now: datetime) -> Order:
    """Their stock was given back, and their money will not be taken."""
    done = replace(cancellation, state=Progress.COMPLETED, complete_time=now)
    gone = {each.sku: each.quantity for each in cancellation.lines}
    return moved(
        order,
        Transition.CANCEL_LINES,
        now,
        cancellation.id,
        lines=tuple(replace(line, cancelled=line.cancelled + gone.get(line.sku, 0)) for line in order.lines),
        line_cancellations=tuple(done if each.id == done.id else each for each in order.line_cancellations),
    )


def find_shipment(order: Order, shipment_id: str) -> Shipment:
    """Find a shipment of the order. Raises ShipmentNotFound."""
    found = next((each for each in order.shipments if each.id == shipment_id), None)
    if found is None:
        raise ShipmentNotFound(order.id, shipment_id)
    return found


def _with(order: Order, shipment: Shipment) -> tuple[Shipment, ...]:
    return tuple(shipment if each.id == shipment.id else each for each in order.shipments)


def _count(units: Sequence[Units]) -> int:
    return sum(each.quantity for each in units)


def _check_left(order: Order, units: Sequence[Units]) -> None:
    lines: Mapping[str, Line] = {line.sku: line for line in order.lines}
    if unknown := [at for at, each in enumerate(units) if each.sku not in lines]:
        raise SkuNotInOrder(order.id, unknown)
    if short := {at: lines[each.sku].left for at, each in enumerate(units) if each.quantity > lines[each.sku].left}:
        raise UnitsNotLeft(order.id, short)
