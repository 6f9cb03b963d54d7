"""What customers hear of: which events of an order, by which template, and what of the order each of them tells."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, Protocol

from google.protobuf.message import Message
from google.type import money_pb2, postal_address_pb2

from ordermesh.order.v1 import order_events_pb2 as events
from ordermesh.order.v1 import order_pb2
from services.common.received import ReceivedEvent, UndecodableError
from services.notification.domain import Content, Notification, Origin, Template, begin

OrderEvent = Any
"""An event that holds the order as it is afterwards, and the id of its part that the event is about, if of one."""


class _Units(Protocol):
    sku: str
    quantity: int


def _nothing(_: OrderEvent) -> Content:
    return {}


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


@dataclass(frozen=True, slots=True)
class _Story:
    event: type[Message]
    template: Template
    part: Callable[[OrderEvent], Content] = _nothing
    """What is told beyond the order as a whole."""


_STORIES: Mapping[str, _Story] = MappingProxyType(
    {
        story.event.DESCRIPTOR.full_name: story
        for story in (
            _Story(events.OrderConfirmed, Template.ORDER_CONFIRMED),
            _Story(events.OrderRejected, Template.ORDER_REJECTED),
            _Story(events.OrderCancelled, Template.ORDER_CANCELLED),
            _Story(events.OrderLinesCancelled, Template.ORDER_LINES_CANCELLED, _cancelled),
            _Story(events.OrderShipped, Template.ORDER_SHIPPED, _parcel),
            _Story(events.OrderShipmentRefused, Template.PAYMENT_FAILED, _parcel),
            _Story(events.OrderDelivered, Template.ORDER_DELIVERED, _parcel),
            _Story(events.OrderReturnRequested, Template.RETURN_REQUESTED, _return),
            _Story(events.OrderReturnApproved, Template.RETURN_APPROVED, _return),
            _Story(events.OrderReturnRejected, Template.RETURN_REJECTED, _return),
            _Story(events.OrderReturnReceived, Template.RETURN_RECEIVED, _came_back),
            _Story(events.OrderRefunded, Template.ORDER_REFUNDED, _refund),
        )
    }
)

TOLD = frozenset(_STORIES)
"""Full names of the events that customers hear of."""


def template_of(event: str) -> Template:
    """Say by which template an event is told, by its full name."""
    return _STORIES[event].template


def notification_caused_by(event: ReceivedEvent, now: datetime) -> Notification | None:
    """Return what the customer is to be told, if this event is one they hear of. Raises UndecodableError."""
    story = _STORIES.get(event.type)
    if story is None:
        return None
    told: OrderEvent = event.message(story.event)
    return begin(
        event.id,
        story.template,
        order_id=told.order.id,
        customer_id=told.order.customer_id,
        now=now,
        content={**_whole(told.order), **story.part(told)},
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
