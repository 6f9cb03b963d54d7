"""A notification: what is to be told to whom, and every attempt at it. Pure."""

import hashlib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from mesh import errors

Content = Mapping[str, Any]
"""What the template is filled with; plain JSON."""


class State(StrEnum):
    """Where a notification stands; the names are those of the contract."""

    PENDING = "PENDING"
    SENT = "SENT"
    FAILED = "FAILED"


class Channel(StrEnum):
    """How it travels; the names are those of the contract."""

    EMAIL = "EMAIL"


class Template(StrEnum):
    """What is told; each is a folder in templates/."""

    ORDER_CONFIRMED = "order-confirmed"
    ORDER_REJECTED = "order-rejected"
    ORDER_CANCELLED = "order-cancelled"
    ORDER_LINES_CANCELLED = "order-lines-cancelled"
    ORDER_SHIPPED = "order-shipped"
    ORDER_DELIVERED = "order-delivered"
    PAYMENT_FAILED = "payment-failed"
    RETURN_REQUESTED = "return-requested"
    RETURN_APPROVED = "return-approved"
    RETURN_REJECTED = "return-rejected"
    RETURN_RECEIVED = "return-received"
    ORDER_REFUNDED = "order-refunded"
    VERIFY_EMAIL = "verify-email"
    ACCOUNT_EXISTS = "account-exists"
    RESET_PASSWORD = "reset-password"  # noqa: S105 - a template, not a password
    PASSWORD_CHANGED = "password-changed"  # noqa: S105 - as above
    SESSION_STOLEN = "session-stolen"
    SECOND_FACTOR_ENABLED = "second-factor-enabled"
    SECOND_FACTOR_DISABLED = "second-factor-disabled"
    RECOVERY_CODE_USED = "recovery-code-used"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try at delivery; `detail` is what the provider, or what stood in the way, said."""

    number: int
    delivered: bool
    detail: str
    time: datetime


@dataclass(frozen=True, slots=True)
class Origin:
    """The request that caused the notification, for its logs, its events and its trace."""

    request_id: str = ""
    traceparent: str = ""


@dataclass(frozen=True, slots=True)
class Notification:
    """One message to one person. `version` counts the events about it, which is none while it is PENDING.

    `order_id` is "" when it is about the person's account.
    """

    id: str
    order_id: str
    customer_id: str
    channel: Channel
    template: Template
    content: Content
    create_time: datetime
    update_time: datetime
    origin: Origin = Origin()
    state: State = State.PENDING
    version: int = 0
    attempts: tuple[Attempt, ...] = ()
    due_time: datetime | None = field(default=None, compare=False)
    """When it is tried next, while it is PENDING."""


@dataclass(frozen=True, slots=True)
class RetryPlan:
    """How often, and how long apart, delivery is tried: each pause is twice the one before, up to the longest."""

    attempts: int = 12
    first_pause: timedelta = timedelta(seconds=1)
    longest_pause: timedelta = timedelta(minutes=10)

    def pause(self, failures: int) -> timedelta:
        """How long to wait after so many failures, of which there is at least one."""
        return min(self.longest_pause, self.first_pause * (1 << min(failures - 1, 20)))


ONE_TIME_CODE = "one_time_code_id"
"""In the content of what brings a code: which one, for who makes it. The code itself is never kept."""

_NOTHING: Content = MappingProxyType({})


def begin(  # noqa: PLR0913 - all that a notification begins with
    event_id: str,
    template: Template,
    *,
    customer_id: str,
    order_id: str = "",
    now: datetime,
    content: Content = _NOTHING,
    origin: Origin = Origin(),
) -> Notification:
    """Return the notification that an event causes; the same event always gives the same id."""
    return Notification(
        id=notification_id(event_id, Channel.EMAIL),
        order_id=order_id,
        customer_id=customer_id,
        channel=Channel.EMAIL,
        template=template,
        content=content,
        create_time=now,
        update_time=now,
        origin=origin,
        due_time=now,
    )


def delivered(notification: Notification, detail: str, now: datetime) -> Notification:
    """Return the notification after the provider took it."""
    return replace(
        _tried(notification, detail, now, success=True),
        state=State.SENT,
        version=notification.version + 1,
        due_time=None,
    )


def not_delivered(
    notification: Notification, detail: str, now: datetime, plan: RetryPlan, *, for_good: bool
) -> Notification:
    """Return the notification after an attempt failed: due again later, or FAILED `for_good` or after the last."""
    tried = _tried(notification, detail, now, success=False)
    failures = len(tried.attempts)
    if for_good or failures >= plan.attempts:
        return replace(tried, state=State.FAILED, version=notification.version + 1, due_time=None)
    return replace(tried, due_time=now + plan.pause(failures))


def notification_id(event_id: str, channel: Channel) -> str:
    """Derive the id from the event's, which is a UUIDv7 (RFC 9562): its time, and a digest in place of chance."""
    cause = uuid.UUID(event_id)
    digest = hashlib.sha256(cause.bytes + channel.encode()).digest()
    octets = bytearray(cause.bytes[:6] + digest[:10])
    octets[6] = 0x70 | octets[6] & 0x0F
    octets[8] = 0x80 | octets[8] & 0x3F
    return str(uuid.UUID(bytes=bytes(octets)))


def _tried(notification: Notification, detail: str, now: datetime, *, success: bool) -> Notification:
    attempt = Attempt(len(notification.attempts) + 1, delivered=success, detail=detail, time=now)
    return replace(notification, attempts=(*notification.attempts, attempt), update_time=now)


class NotificationNotFound(errors.NotFound):
    """There is no such notification, or it is somebody else's, which callers must not be able to tell apart."""

    def __init__(self, notification_id: str) -> None:
        super().__init__(
            f"there is no notification {notification_id}",
            reason="NOTIFICATION_NOT_FOUND",
            metadata={"notification_id": notification_id},
        )
