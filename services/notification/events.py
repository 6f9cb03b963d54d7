"""What notification hears from order, what it publishes itself, and the contract's form of a notification."""

from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType

from google.protobuf.message import Message
from google.type import money_pb2, postal_address_pb2

from ordermesh.notification.v1 import notification_events_pb2, notification_pb2
from ordermesh.order.v1 import order_events_pb2, order_pb2
from services.common.events import EventRecord
from services.common.protobuf import timestamp_to_proto
from services.common.received import ReceivedEvent
from services.notification.domain import (
    Attempt,
    Content,
    Notification,
    Origin,
    State,
    Template,
    begin,
)

AGGREGATE_TYPE = "notification"

OrderEvent = order_events_pb2.OrderConfirmed | order_events_pb2.OrderRejected | order_events_pb2.OrderCancelled

_TOLD: Mapping[str, tuple[type[OrderEvent], Template]] = MappingProxyType(
    {
        kind.DESCRIPTOR.full_name: (kind, template)
        for kind, template in (
            (order_events_pb2.OrderConfirmed, Template.ORDER_CONFIRMED),
            (order_events_pb2.OrderRejected, Template.ORDER_REJECTED),
            (order_events_pb2.OrderCancelled, Template.ORDER_CANCELLED),
        )
    }
)

TOLD = frozenset(_TOLD)
"""Full names of the events that customers hear of."""

_PUBLISHED: Mapping[State, Callable[..., Message]] = MappingProxyType(
    {
        State.SENT: notification_events_pb2.NotificationSent,
        State.FAILED: notification_events_pb2.NotificationFailed,
    }
)


def notification_caused_by(event: ReceivedEvent, now: datetime) -> Notification | None:
    """Return what the customer is to be told, if this event is one they hear of. Raises UndecodableError."""
    if event.type not in _TOLD:
        return None
    kind, template = _TOLD[event.type]
    order = event.message(kind).order
    return begin(
        event.id,
        template,
        order_id=order.id,
        customer_id=order.customer_id,
        now=now,
        content=_content(order),
        origin=Origin(event.request_id, event.traceparent),
    )


def event_of(notification: Notification) -> EventRecord:
    """Return the event that tells how delivery ended."""
    message = _PUBLISHED[notification.state](notification=notification_to_proto(notification))
    return EventRecord(AGGREGATE_TYPE, notification.id, notification.version, message)


def notification_to_proto(notification: Notification) -> notification_pb2.Notification:
    """Return the contract's form of a notification, the same in replies and in events."""
    return notification_pb2.Notification(
        id=notification.id,
        order_id=notification.order_id,
        customer_id=notification.customer_id,
        channel=notification_pb2.Notification.Channel.Value(notification.channel),
        template=notification.template,
        state=notification_pb2.Notification.State.Value(notification.state),
        attempts=[_attempt_to_proto(attempt) for attempt in notification.attempts],
        create_time=timestamp_to_proto(notification.create_time),
        update_time=timestamp_to_proto(notification.update_time),
    )


def _attempt_to_proto(attempt: Attempt) -> notification_pb2.DeliveryAttempt:
    return notification_pb2.DeliveryAttempt(
        number=attempt.number,
        delivered=attempt.delivered,
        detail=attempt.detail,
        attempt_time=timestamp_to_proto(attempt.time),
    )


def _content(order: order_pb2.Order) -> Content:
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


def _money(amount: money_pb2.Money) -> Content:
    return {"currency_code": amount.currency_code, "units": amount.units, "nanos": amount.nanos}


def _address(address: postal_address_pb2.PostalAddress) -> list[str]:
    town = f"{address.postal_code} {address.locality}".strip()
    lines = (*address.recipients, address.organization, *address.address_lines, town, address.region_code)
    return [line for line in lines if line]
