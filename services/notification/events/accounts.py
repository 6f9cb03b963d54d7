"""What people hear of their account. Events have no secrets: the code of a mail is asked for when it is written."""

from datetime import datetime
from typing import Any

from ordermesh.auth.v1 import auth_events_pb2 as events
from services.common.received import ReceivedEvent
from services.notification.domain import ONE_TIME_CODE, Content, Notification, Origin, Template, begin
from services.notification.events.told import Stories, Story

AccountEvent = Any
"""An event that names the user it is about."""

ERASED = events.UserErased.DESCRIPTOR.full_name


def _code(event: AccountEvent) -> Content:
    return {ONE_TIME_CODE: event.one_time_code_id}


def _remaining(event: AccountEvent) -> Content:
    return {"remaining": event.remaining}


def _stolen(event: events.SessionsEnded) -> bool:
    return event.reason == events.SessionsEnded.REFRESH_TOKEN_REUSED


STORIES = Stories(
    Story(events.EmailVerificationRequested, Template.VERIFY_EMAIL, _code),
    Story(events.RegistrationRepeated, Template.ACCOUNT_EXISTS),
    Story(events.PasswordResetRequested, Template.RESET_PASSWORD, _code),
    Story(events.PasswordChanged, Template.PASSWORD_CHANGED),
    Story(events.SessionsEnded, Template.SESSION_STOLEN, heard=_stolen),
    Story(events.SecondFactorEnabled, Template.SECOND_FACTOR_ENABLED),
    Story(events.SecondFactorDisabled, Template.SECOND_FACTOR_DISABLED),
    Story(events.RecoveryCodeUsed, Template.RECOVERY_CODE_USED, _remaining),
)
TOLD = STORIES.names
"""Full names of the events that people hear of."""


def notification_caused_by(event: ReceivedEvent, now: datetime) -> Notification | None:
    """Return what the user is to be told, if this event is one they hear of. Raises UndecodableError."""
    found = STORIES.find(event)
    if found is None:
        return None
    story, told = found
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
