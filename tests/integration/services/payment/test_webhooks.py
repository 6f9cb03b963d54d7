"""What gateways tell takes effect once: early, late, twice, out of order or at once; what is no delivery, never."""

import asyncio
import base64
import json
from datetime import timedelta
from typing import Any

import pytest

from mesh import errors
from ordermesh.payment.v1.payment_events_pb2 import PaymentDisputed
from services.common.database import Database
from services.common.ids import new_id
from services.common.money import Money
from services.payment.adapters.standard_webhooks import SandboxNotifications, signature
from services.payment.domain.facts import Disputed, Subject
from services.payment.domain.payment import DisputeState, Kind, Payment, State
from services.payment.store import PaymentStore, WebhookStore
from services.payment.store.deliveries import DeliveryState
from services.payment.webhooks import Webhooks
from tests.integration.services.payment.conftest import Desk, now
from tests.integration.services.payment.gateway import Gateway

CUSTOMER = "01890000-0000-7000-8000-00000000c001"
PRICE = Money("EUR", 1000)
SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()


def signed_headers(body: bytes, message_id: str, age: int = 0, secret: str = SECRET) -> dict[str, str]:
    """Sign a delivery."""
    timestamp = str(int(now().timestamp()) - age)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": signature(secret, message_id, timestamp, body),
    }


class Line:
    """The sandbox's way to tell things."""

    def __init__(self, desk: Desk, database: Database) -> None:
        """Wire webhooks as the service does."""
        self.store = WebhookStore(database)
        self._database = database
        self.webhooks = Webhooks(
            self.store, {"sandbox": SandboxNotifications(SECRET)}, desk.bookkeeper, now, timedelta(hours=1)
        )

    async def tell(self, kind: str, message_id: str = "", **data: object) -> None:
        """Deliver one notification, signed."""
        body = json.dumps({"type": kind, "data": data}).encode()
        await self.deliver(body, message_id or new_id())

    async def deliver(self, body: bytes, message_id: str, age: int = 0, secret: str = SECRET) -> None:
        """Deliver a body."""
        await self.webhooks.receive("sandbox", signed_headers(body, message_id, age, secret), body)

    async def act(self) -> None:
        """Act upon everything that waits, also upon what was left for later, by three workers."""
        await self._database.run("UPDATE webhook_deliveries SET next_attempt_time = now()")
        await asyncio.gather(*(self.webhooks.act() for _ in range(3)))

    async def states(self) -> list[DeliveryState]:
        """Tell what came of all deliveries, oldest first."""
        page = await self.store.page({"gateway": None, "state": None}, None, 100)
        return [each.state for each in reversed(page)]


@pytest.fixture
def line(desk: Desk, database: Database) -> Line:
    """Open the line."""
    return Line(desk, database)


async def pending(desk: Desk, gateway: Gateway) -> Payment:
    """Begin a payment whose answer is lost."""
    gateway.mute = True
    payment = await desk.cashier.authorize(new_id(), CUSTOMER, PRICE, "tok_visa")
    gateway.mute = False
    return payment


async def captured(desk: Desk) -> tuple[Payment, str]:
    """Capture 300, and name the operation."""
    payment = await desk.cashier.authorize(new_id(), CUSTOMER, PRICE, "tok_visa")
    payment = await desk.movements.capture(payment, Money("EUR", 300), None)
    return payment, str(payment.ledger[-1].operation_id)


async def test_a_delivery_that_is_not_the_gateways_is_refused(line: Line) -> None:
    """Wrong key, changed body, old one sent again, none at all: nothing is stored."""
    other = "whsec_" + base64.b64encode(b"x" * 32).decode()
    with pytest.raises(errors.Unauthenticated):
        await line.deliver(b'{"type": "x"}', "m1", secret=other)
    with pytest.raises(errors.Unauthenticated):
        await line.deliver(b'{"type": "x"}', "m1", age=301)
    with pytest.raises(errors.Unauthenticated):
        await line.webhooks.receive("sandbox", {}, b"{}")
    with pytest.raises(errors.NotFound):
        await line.webhooks.receive("nobody", {}, b"{}")
    assert await line.states() == []


@pytest.mark.parametrize("body", [b"", b"[]", b"\xff", b"null", b"{"])
async def test_a_signed_delivery_that_can_not_be_read_is_refused(line: Line, body: bytes) -> None:
    """It is the sender's to mend."""
    with pytest.raises(errors.InvalidArgument):
        await line.deliver(body, "m1")


async def test_a_delivery_comes_twice_and_takes_effect_once(desk: Desk, line: Line, store: PaymentStore) -> None:
    """By the gateway's id, and again under another id, by the ledger."""
    payment, operation_id = await captured(desk)
    told = {"operation_id": operation_id, "reason": "account closed"}
    for message_id in ("m1", "m1", "m2"):
        await line.tell("capture.failed", message_id, **told)
    await line.act()
    found = await store.get(payment.id)
    assert [entry.kind for entry in found.ledger] == ["AUTHORIZATION", "CAPTURE", "CAPTURE_REVERSAL"]
    assert (found.state, found.captured, found.held) == (State.AUTHORIZED, Money("EUR", 0), PRICE)
    assert await line.states() == [DeliveryState.PROCESSED] * 2


@pytest.mark.parametrize(("refusal", "refunded"), [("CHARGE_FAILED", 0), ("", 300)])
async def test_a_capture_that_fails_waits_for_the_refund_that_is_under_way(  # noqa: PLR0913, PLR0917 - fixtures
    desk: Desk, gateway: Gateway, line: Line, store: PaymentStore, refusal: str, refunded: int
) -> None:
    """Nobody knows yet whether that gave the money back; if it did, we owe it and both stay in the books."""
    payment, operation_id = await captured(desk)
    gateway.cut = True
    with pytest.raises(errors.Unavailable):
        await desk.movements.refund(payment, Money("EUR", 300), None)
    gateway.cut, gateway.refuses = False, refusal
    await line.tell("capture.failed", operation_id=operation_id, reason="account closed")
    await line.act()
    assert (await store.get(payment.id)).captured == Money("EUR", 300)
    await desk.leftovers.settle(timedelta(0))
    await line.act()
    found = await store.get(payment.id)
    assert found.refunded == Money("EUR", refunded)
    assert found.captured == Money("EUR", refunded)
    assert await store.open_operations(timedelta(0), 10) == []


async def test_the_answer_that_was_lost_comes_by_notification(
    desk: Desk, gateway: Gateway, line: Line, store: PaymentStore
) -> None:
    """Approved and declined."""
    approved, declined = await pending(desk, gateway), await pending(desk, gateway)
    await gateway.cancel(declined.id, "")
    found = await gateway.find(approved.id, PRICE, None)
    await line.tell("authorization.approved", payment_id=approved.id, reference=found.reference)  # type: ignore[union-attr]
    await line.tell("authorization.declined", payment_id=declined.id, reason="CARD_DECLINED")
    await line.act()
    assert (await store.get(approved.id)).state is State.AUTHORIZED
    assert (await store.get(declined.id)).failure_reason == "CARD_DECLINED"


async def test_a_hold_that_nobody_waits_for_any_more_is_given_back(
    desk: Desk, line: Line, store: PaymentStore, database: Database
) -> None:
    """The payment failed here before the gateway's approval was known."""
    payment = await desk.cashier.authorize(new_id(), CUSTOMER, PRICE, "tok_declined")
    await database.run("UPDATE sandbox_charges SET declined = NULL")
    await line.tell("authorization.approved", payment_id=payment.id, reference="r")
    await line.act()
    assert (await store.get(payment.id)).state is State.FAILED
    row = await database.row("SELECT closed FROM sandbox_charges WHERE key = %(key)s", {"key": payment.id})
    assert row.closed


async def test_what_comes_before_its_payment_waits_for_it(line: Line, database: Database) -> None:
    """And after a while somebody has to look, and may have it tried again."""
    await line.tell("refund.succeeded", operation_id=new_id())
    await line.tell("authorization.approved", payment_id=new_id(), reference="r")
    await line.act()
    assert await line.states() == [DeliveryState.RECEIVED] * 2
    await database.run("UPDATE webhook_deliveries SET create_time = now() - interval '2 hours'")
    await line.act()
    page = await line.store.page({"gateway": "sandbox", "state": "FAILED"}, None, 10)
    assert {each.failure_reason for each in page} == {"OPERATION_UNKNOWN", "PAYMENT_UNKNOWN"}
    await line.webhooks.retry(page[0].id)
    assert sorted(await line.states()) == [DeliveryState.FAILED, DeliveryState.RECEIVED]
    with pytest.raises(errors.NotFound):
        await line.webhooks.retry(new_id())


async def test_a_capture_that_is_confirmed_before_its_reply_is_closed_once(
    desk: Desk, gateway: Gateway, line: Line, store: PaymentStore, database: Database
) -> None:
    """Early: the process that asked had not heard yet."""
    payment = await desk.cashier.authorize(new_id(), CUSTOMER, PRICE, "tok_visa")
    gateway.mute = True
    with pytest.raises(errors.Unavailable):
        await desk.movements.capture(payment, Money("EUR", 300), "r1")
    gateway.mute = False
    row = await database.row("SELECT id::text FROM operations")
    await line.tell("capture.succeeded", operation_id=row.id)
    await line.act()
    assert (await store.get(payment.id)).captured == Money("EUR", 300)
    assert (await desk.movements.capture(payment, Money("EUR", 300), "r1")).captured == Money("EUR", 300)


async def test_a_hold_that_ended_at_the_gateway_ends_here(
    desk: Desk, gateway: Gateway, line: Line, store: PaymentStore
) -> None:
    """Run out or cancelled there, of all or of what captures left."""
    payment, _ = await captured(desk)
    other = await desk.cashier.authorize(new_id(), CUSTOMER, PRICE, "tok_visa")
    await gateway.cancel(other.id, "")
    for _ in range(2):
        await line.tell("authorization.expired", reference=payment.gateway_reference)
        await line.tell("authorization.cancelled", payment_id=other.id)
    await line.act()
    assert [entry.kind for entry in (await store.get(payment.id)).ledger] == ["AUTHORIZATION", "CAPTURE", "EXPIRY"]
    assert (await store.get(other.id)).state is State.VOIDED
    await desk.cashier.cancel_order(other.order_id)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0), (2, 0, 1)])
async def test_a_dispute_ends_the_same_in_whatever_order_it_is_told(
    desk: Desk, line: Line, store: PaymentStore, order: tuple[int, ...]
) -> None:
    """Opened, money taken, won and money returned: each once."""
    payment, _ = await captured(desk)
    about: dict[str, Any] = {
        "payment_id": payment.id,
        "dispute_id": "dp_1",
        "amount": 200,
        "currency_code": "EUR",
        "reason": "fraud",
    }
    kinds = ("dispute.opened", "dispute.funds_withdrawn", "dispute.won")
    for index in order:
        for _ in range(2):
            await line.tell(kinds[index], **about)
        await line.act()
    await line.act()
    found = await store.get(payment.id)
    assert [entry.kind for entry in found.ledger[2:]] == [Kind.CHARGEBACK, Kind.CHARGEBACK_REVERSAL]
    assert found.charged_back == Money("EUR", 0)
    (dispute,) = await store.disputes(payment.id, None, 10)
    assert (dispute.state, dispute.amount, dispute.reason) == ("WON", Money("EUR", 200), "fraud")
    assert set(await line.states()) == {DeliveryState.PROCESSED}


async def test_instances_that_hear_of_a_dispute_at_once_tell_of_the_one_that_is_stored(
    desk: Desk, database: Database, store: PaymentStore
) -> None:
    """Whoever reads an event finds its dispute by the id in it; and what is known already makes no second event."""
    payment, _ = await captured(desk)
    fact = Disputed(Subject(payment.id), "dp_1", DisputeState.OPEN, Money("EUR", 200), "fraud")
    await asyncio.gather(*(desk.bookkeeper.note("sandbox", fact) for _ in range(6)))
    (stored,) = await store.disputes(payment.id, None, 10)
    told = await database.rows("SELECT payload FROM events WHERE type LIKE '%%PaymentDisputed'")
    assert [PaymentDisputed.FromString(row.payload).dispute.id for row in told] == [stored.id]


async def test_what_is_nothing_to_us_is_ignored_and_forgotten(line: Line) -> None:
    """A gateway tells of much."""
    await line.tell("payout.paid", amount=1)
    await line.act()
    assert await line.states() == [DeliveryState.IGNORED]
    assert await line.store.forget(timedelta(0)) == 1
