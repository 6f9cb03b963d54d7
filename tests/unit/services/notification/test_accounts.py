"""What people hear of their account: which events, in which words, and that no secret is kept on the way."""

from dataclasses import replace
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default

import pytest
from google.protobuf.message import Message

from mesh import errors
from ordermesh.auth.v1 import auth_events_pb2 as events
from services.notification.delivery import Delivery
from services.notification.domain import RetryPlan, State
from services.notification.events.accounts import TOLD, erased_by, notification_caused_by
from services.notification.letters import Letter
from services.notification.rendering import Writer
from tests.unit.services.notification.examples import CUSTOMER, NOW, Addresses, MemoryStore, Outbox, an_event

CODE_ID = "01890000-0000-7000-8000-00000000d001"
REUSED = events.SessionsEnded.REFRESH_TOKEN_REUSED
TELLING: list[tuple[Message, str, str]] = [
    (events.EmailVerificationRequested(one_time_code_id=CODE_ID), "Verify your e-mail", f"code-of-{CODE_ID}"),
    (events.PasswordResetRequested(one_time_code_id=CODE_ID), "Set a new password", f"code-of-{CODE_ID}"),
    (events.RegistrationRepeated(), "You have an account", "wanted to register"),
    (events.PasswordChanged(), "Your password was changed", "have the password reset at once"),
    (events.SessionsEnded(reason=REUSED), "ended for safety", "used twice"),
    (events.SecondFactorEnabled(), "needs your authenticator", "recovery codes"),
    (events.SecondFactorDisabled(), "no authenticator any more", "password alone"),
    (events.RecoveryCodeUsed(remaining=7), "A recovery code was used", "You have 7 left"),
]


async def mailed(event: Message, web_url: str = "", *, faults: list[Exception] | None = None) -> EmailMessage | None:
    """Have the mail of an event sent, which must be kept without its code."""
    event.user_id = CUSTOMER  # type: ignore[attr-defined]
    notification = notification_caused_by(an_event(event), NOW)
    assert notification is not None
    store, outbox = MemoryStore(), Outbox()
    writer = Writer("orders@ordermesh.test", web_url)
    addresses = Addresses(faults=faults or [])
    delivery = Delivery(store, addresses, outbox, writer=writer, clock=lambda: NOW, plan=RetryPlan())
    await delivery.attempt(notification)
    (kept,) = store.rows.values()
    assert "code-of" not in repr(kept)
    assert kept.order_id == ""
    return read(outbox.letters[0]) if outbox.letters else None


def read(letter: Letter) -> EmailMessage:
    """Read it as a mail server's other end does."""
    message = message_from_bytes(letter.content, policy=default)
    assert isinstance(message, EmailMessage)
    return message


def text(message: EmailMessage, kind: str) -> str:
    """Read one of the two bodies, without its line breaks."""
    part = message.get_body((kind,))
    assert part is not None
    return " ".join(str(part.get_content()).split())


@pytest.mark.parametrize(("event", "subject", "said"), TELLING, ids=lambda each: type(each).__name__)
async def test_an_event_of_an_account_is_told_in_a_mail(event: Message, subject: str, said: str) -> None:
    """In text and in HTML, with the time it happened."""
    message = await mailed(event)
    assert message is not None
    assert subject in message["Subject"]
    for kind in ("plain", "html"):
        assert said in text(message, kind)
        assert "04 May 2026, 12:00 UTC" in text(message, kind)


def test_every_event_that_people_hear_of_is_tried_here() -> None:
    """Who adds one adds its words."""
    assert {event.DESCRIPTOR.full_name for event, _, _ in TELLING} == TOLD


async def test_a_code_comes_with_a_link_where_there_is_a_page_for_it() -> None:
    """Behind #, which browsers send to no server."""
    message = await mailed(events.PasswordResetRequested(one_time_code_id=CODE_ID), "https://shop.example/")
    assert message is not None
    link = f"https://shop.example/reset-password#code=code-of-{CODE_ID}"
    assert link in text(message, "plain")
    assert f'href="{link}"' in text(message, "html")


async def test_a_mail_whose_code_nobody_waits_for_is_not_sent() -> None:
    """A newer one was asked for, or it took too long."""
    store, outbox = MemoryStore(), Outbox()
    event = events.EmailVerificationRequested(user_id=CUSTOMER, one_time_code_id=CODE_ID)
    notification = notification_caused_by(an_event(event), NOW)
    assert notification is not None

    class Expired(Addresses):
        async def code(self, code_id: str) -> str:
            raise errors.NotFound(f"no code {code_id}")

    writer = Writer("orders@ordermesh.test")
    delivery = Delivery(store, Expired(), outbox, writer=writer, clock=lambda: NOW, plan=RetryPlan())
    assert (await delivery.attempt(replace(notification))).state is State.FAILED
    assert outbox.letters == []


@pytest.mark.parametrize(
    "event",
    [
        events.SessionsEnded(user_id=CUSTOMER, reason=events.SessionsEnded.LOGGED_OUT),
        events.SessionStarted(user_id=CUSTOMER),
        events.UserRegistered(user_id=CUSTOMER),
    ],
    ids=lambda each: type(each).__name__,
)
def test_what_people_do_themselves_is_not_told_to_them(event: Message) -> None:
    """A mail for each login would be read by nobody."""
    assert notification_caused_by(an_event(event), NOW) is None


def test_an_erased_user_is_named_by_that_event_alone() -> None:
    """All that was said to them goes."""
    assert erased_by(an_event(events.UserErased(user_id=CUSTOMER))) == CUSTOMER
    assert erased_by(an_event(events.UserRegistered(user_id=CUSTOMER))) is None
