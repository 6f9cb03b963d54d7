"""What notification publishes, and the contract's form of a notification."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from google.protobuf.message import Message

from ordermesh.notification.v1 import notification_events_pb2, notification_pb2
from services.common.events import EventRecord
from services.common.protobuf import timestamp_to_proto
from services.notification.domain import Attempt, Notification, State

AGGREGATE_TYPE = "notification"

_PUBLISHED: Mapping[State, Callable[..., Message]] = MappingProxyType(
    {
        State.SENT: notification_events_pb2.NotificationSent,
        State.FAILED: notification_events_pb2.NotificationFailed,
    }
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
