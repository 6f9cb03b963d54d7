"""What people hear of their account. Events have no secrets: the code of a mail is asked for when it is written."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any

from google.protobuf.message import Message

from ordermesh.auth.v1 import auth_events_pb2 as events
from services.common.received import ReceivedEvent
from services.notification.domain import ONE_TIME_CODE, Content, Notification, Origin, Template, begin

AccountEvent = Any
"""An event that names the user it is about."""

ERASED = events.UserErased.DESCRIPTOR.full_name


def _always(_: AccountEvent) -> bool:
    return True


def _nothing(_: AccountEvent) -> Content:
    return {}


def _code(event: AccountEvent) -> Content:
    return {ONE_TIME_CODE: event.one_time_code_id}


def _remaining(event: AccountEvent) -> Content:
    return {"remaining": event.remaining}


def _stolen(event: events.SessionsEnded) -> bool:
    return event.reason == events.SessionsEnded.REFRESH_TOKEN_REUSED


@dataclass(frozen=True, slots=True)
class _Story:
    event: type[Message]
    template: Template
    content: Callable[[AccountEvent], Content] = _nothing
    heard: Callable[[AccountEvent], bool] = _always
    """Which of these events people hear of."""


_STORIES: Mapping[str, _Story] = MappingProxyType(
    {
        story.event.DESCRIPTOR.full_name: story
        for story in (
            _Story(events.EmailVerificationRequested, Template.VERIFY_EMAIL, _code),
            _Story(events.RegistrationRepeated, Template.ACCOUNT_EXISTS),
            _Story(events.PasswordResetRequested, Template.RESET_PASSWORD, _code),
            _Story(events.PasswordChanged, Template.PASSWORD_CHANGED),
            _Story(events.SessionsEnded, Template.SESSION_STOLEN, heard=_stolen),
            _Story(events.SecondFactorEnabled, Template.SECOND_FACTOR_ENABLED),
            _Story(events.SecondFactorDisabled, Template.SECOND_FACTOR_DISABLED),
            _Story(events.RecoveryCodeUsed, Template.RECOVERY_CODE_USED, _remaining),
        )
    }
)

TOLD = frozenset(_STORIES)
"""Full names of the events that people hear of."""


def template_of(event: str) -> Template:
    """Say by which template an event is told, by its full name."""
    return _STORIES[event].template


def notification_caused_by(event: ReceivedEvent, now: datetime) -> Notification | None:
    """Return what the user is to be told, if this event is one they hear of. Raises UndecodableError."""
    story = _STORIES.get(event.type)
    if story is None:
        return None
    told: AccountEvent = event.message(story.event)
    if not story.heard(told):
        return None
    return begin(
        event.id,
        story.template,
        customer_id=told.user_id,
        now=now,
        content={"when": event.time.strftime("%d %B %Y, %H:%M UTC"), **story.content(told)},
        origin=Origin(event.request_id, event.traceparent),
    )


def erased_by(event: ReceivedEvent) -> str | None:
    """Return whose data is to go, if this event says so. Raises UndecodableError."""
    return event.message(events.UserErased).user_id if event.type == ERASED else None
