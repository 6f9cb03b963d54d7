"""What customers hear of: which events of an order, by which template, and what of the order each of them tells."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Protocol

from google.type import money_pb2, postal_address_pb2

from ordermesh.order.v1 import order_events_pb2 as events
from ordermesh.order.v1 import order_pb2
from services.common.received import ReceivedEvent, UndecodableError
from services.notification.domain import Content, Notification, Origin, Template, begin
from services.notification.events.told import Stories, Story

OrderEvent = Any
"""An event that holds the order as it is afterwards, and the id of its part that the event is about, if of one."""


class _Units(Protocol):
    sku: str
    quantity: int


def _parcel(event: OrderEvent) -> Content:
    order: order_pb2.Order = event.order
    parcel = _found(order.shipments, event.shipment_id)
    return {
        "units": _units(order, parcel.lines),
        "carrier": parcel.carrier,
        "tracking_number": parcel.tracking_number,
        "amount": _money(parcel.amount),
        "more": any(line.quantity > line.shipped_quantity + line.cancelled_quantity for line in order.lines),
        "failure": parcel.failure.message,
    }


def _cancelled(event: OrderEvent) -> Content:
    part = _found(event.order.line_cancellations, event.line_cancellation_id)
    return {"units": _units(event.order, part.lines), "reason": part.reason, "amount": _money(part.amount)}


def _return(event: OrderEvent) -> Content:
    back = _found(event.order.returns, event.return_id)
    return {"units": _units(event.order, back.lines), "note": back.note}


def _came_back(event: OrderEvent) -> Content:
    order: order_pb2.Order = event.order
    back = _found(order.returns, event.return_id)
    came = [order_pb2.OrderUnits(sku=line.sku, quantity=line.received_quantity) for line in back.lines]
    return {"units": _units(order, came), "note": back.note, "refunds": bool(back.refund_id)}


def _refund(event: OrderEvent) -> Content:
    refund = _found(event.order.refunds, event.refund_id)
    return {"amount": _money(refund.amount), "reason": "" if refund.return_id else refund.reason}


STORIES = Stories(
    Story(events.OrderConfirmed, Template.ORDER_CONFIRMED),
    Story(events.OrderRejected, Template.ORDER_REJECTED),
    Story(events.OrderCancelled, Template.ORDER_CANCELLED),
    Story(events.OrderLinesCancelled, Template.ORDER_LINES_CANCELLED, _cancelled),
    Story(events.OrderShipped, Template.ORDER_SHIPPED, _parcel),
    Story(events.OrderShipmentRefused, Template.PAYMENT_FAILED, _parcel),
    Story(events.OrderDelivered, Template.ORDER_DELIVERED, _parcel),
    Story(events.OrderReturnRequested, Template.RETURN_REQUESTED, _return),
    Story(events.OrderReturnApproved, Template.RETURN_APPROVED, _return),
    Story(events.OrderReturnRejected, Template.RETURN_REJECTED, _return),
    Story(events.OrderReturnReceived, Template.RETURN_RECEIVED, _came_back),
    Story(events.OrderRefunded, Template.ORDER_REFUNDED, _refund),
)
TOLD = STORIES.names
"""Full names of the events that customers hear of."""


def notification_caused_by(event: ReceivedEvent, now: datetime) -> Notification | None:
    """Return what the customer is to be told, if this event is one they hear of. Raises UndecodableError."""
    found = STORIES.find(event)
    if found is None:
        return None
    story, told = found
    return begin(
        event.id,
        story.template,
        order_id=told.order.id,
        customer_id=told.order.customer_id,
        now=now,
        content={**_whole(told.order), **story.content(told)},
        origin=Origin(event.request_id, event.traceparent),
    )


def _whole(order: order_pb2.Order) -> Content:
    return {
        "order_id": order.id,
        "placed": order.create_time.ToDatetime().date().isoformat(),
        "lines": [
            {"name": line.name, "sku": line.sku, "quantity": line.quantity, "amount": _money(line.amount)}
            for line in order.lines
        ],
        "total": _money(order.total),
        "address": _address(order.shipping_address),
        "rejection": {"reason": order.rejection.reason, "message": order.rejection.message},
        "cancel_reason": order.cancel_reason,
    }


def _found(parts: Iterable[Any], part_id: str) -> Any:  # noqa: ANN401 - parts are of several types
    """Find the part of the order that its event is about, which every sender puts in."""
    for part in parts:
        if part.id == part_id:
            return part
    raise UndecodableError(f"the order has no part {part_id}")


def _units(order: order_pb2.Order, units: Iterable[_Units]) -> list[Content]:
    names = {line.sku: line.name for line in order.lines}
    return [{"name": names[each.sku], "sku": each.sku, "quantity": each.quantity} for each in units if each.quantity]


def _money(amount: money_pb2.Money) -> Content:
    return {"currency_code": amount.currency_code, "units": amount.units, "nanos": amount.nanos}


def _address(address: postal_address_pb2.PostalAddress) -> list[str]:
    town = f"{address.postal_code} {address.locality}".strip()
    lines = (*address.recipients, address.organization, *address.address_lines, town, address.region_code)
    return [line for line in lines if line]
