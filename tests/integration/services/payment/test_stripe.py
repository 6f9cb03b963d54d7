"""Stripe by its library: every request is judged by Stripe's own mock, and no lost reply moves money twice."""

import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio

from deploy.native import components
from mesh import errors
from services.common.ids import new_id
from services.common.money import Money
from services.payment.adapters.gateway import (
    Declined,
    GatewayDownError,
    GatewayUnreachableError,
    MalformedError,
    Movement,
    SignatureInvalidError,
)
from services.payment.adapters.stripe import Stripe, StripeNotifications
from services.payment.breaker import Breaker, Guarded
from services.payment.domain.errors import CaptureNotFinal, GatewayRefused
from services.payment.domain.facts import Authorized, Disputed, HoldEnded, Moved, NotAuthorized
from services.payment.domain.payment import Kind, Payment, State
from services.payment.routing import Gateways
from services.payment.store import PaymentStore
from tests.integration.services.payment.conftest import Desk, desk_of
from tests.integration.services.payment.stripe_account import DECLINED, Served, StripeAccount, stripe_mock

CUSTOMER = "01890000-0000-7000-8000-00000000c001"
PRICE = Money("EUR", 1000)
VISA = "pm_card_visa"
SECRET = "whsec_test"
LONG = timedelta(seconds=20)


@pytest.fixture(scope="session")
def mock(programs: components.Components) -> Iterator[str]:
    """Run Stripe's mock."""
    with stripe_mock(programs.stripe_mock) as address:
        yield address


@pytest_asyncio.fixture
async def account(mock: str) -> StripeAccount:
    """Open an account."""
    return StripeAccount(mock)


@pytest_asyncio.fixture
async def address(account: StripeAccount) -> AsyncIterator[str]:
    """Serve it."""
    async with Served(account.handle) as served:
        yield served


async def stripe_at(address: str, *, multicapture: bool = False) -> Stripe:
    """Connect to it."""
    return Stripe("sk_test_x", multicapture=multicapture, address=address, timeout=LONG)


def desk_with(store: PaymentStore, gateway: Stripe) -> Desk:
    """Route everything to Stripe."""
    guarded = Guarded(gateway, Breaker(1000, LONG), LONG)
    return desk_of(store, Gateways({"stripe": guarded}, {"*": ["stripe"]}))


@pytest_asyncio.fixture
async def gateway(address: str) -> AsyncIterator[Stripe]:
    """Connect, and let go afterwards."""
    connected = await stripe_at(address)
    yield connected
    await connected.close()


@pytest.fixture
def at_stripe(store: PaymentStore, gateway: Stripe) -> Desk:
    """Employ somebody."""
    return desk_with(store, gateway)


async def test_a_payment_is_held_captured_and_refunded(at_stripe: Desk, account: StripeAccount) -> None:
    """The gateway's references and the end of the hold are kept."""
    payment = await at_stripe.cashier.authorize(new_id(), CUSTOMER, PRICE, VISA)
    assert (payment.state, payment.gateway_reference) == (State.AUTHORIZED, "pi_1")
    assert payment.expire_time == datetime.fromtimestamp(4_000_000_000, UTC)
    captured = await at_stripe.movements.capture(payment, Money("EUR", 600), "s1", final=True)
    assert (captured.captured.minor_units, captured.voided.minor_units) == (600, 400)
    for amount in (100, 200):
        refunded = await at_stripe.movements.refund(payment, Money("EUR", amount), None)
    assert refunded.refunded == Money("EUR", 300)
    assert [entry.reference for entry in refunded.ledger[1:]] == ["ch_1", "", "re_2", "re_3"]
    assert account.intents["pi_1"]["amount_received"] == 600


async def test_a_card_that_is_declined_and_a_token_that_is_none_are_told_apart(at_stripe: Desk) -> None:
    """By Stripe's own code."""
    declined = await at_stripe.cashier.authorize(new_id(), CUSTOMER, PRICE, DECLINED)
    assert (declined.state, declined.failure_reason) == (State.FAILED, "CARD_DECLINED")


async def test_an_authorization_whose_reply_was_lost_is_asked_for_by_its_key(
    at_stripe: Desk, account: StripeAccount
) -> None:
    """Whoever still has the token repeats the call; there is one PaymentIntent."""
    order_id = new_id()
    account.mute = True
    assert (await at_stripe.cashier.authorize(order_id, CUSTOMER, PRICE, VISA)).state is State.PENDING
    account.mute = False
    payment = await at_stripe.cashier.authorize(order_id, CUSTOMER, PRICE, VISA)
    assert (payment.state, len(account.intents)) == (State.AUTHORIZED, 1)


async def test_without_the_token_the_payment_is_searched_for(
    at_stripe: Desk, account: StripeAccount, store: PaymentStore
) -> None:
    """While the search lags behind, nobody guesses: the key was used, so the request did arrive."""
    account.mute = True
    payment = await at_stripe.cashier.authorize(new_id(), CUSTOMER, PRICE, VISA)
    account.mute, account.searchable = False, False
    await at_stripe.leftovers.settle(timedelta(0))
    assert (await store.get(payment.id)).state is State.PENDING
    account.searchable = True
    await at_stripe.leftovers.settle(timedelta(0))
    assert (await store.get(payment.id)).state is State.AUTHORIZED


async def test_a_request_that_never_arrived_can_not_arrive_any_more(gateway: Stripe, account: StripeAccount) -> None:
    """Asking for it takes its key: the late request is refused, and holds nothing."""
    key = new_id()
    assert await gateway.find(key, PRICE, None) is None
    await gateway.cancel(key, "")
    with pytest.raises(GatewayUnreachableError):
        await gateway.authorize(key, PRICE, VISA)
    assert [each["status"] for each in account.intents.values()] == ["canceled"]
    assert isinstance(await gateway.find(key, PRICE, None), Declined)


async def moved(desk: Desk, payment: Payment, kind: Kind) -> Payment:
    """Move money."""
    if kind is Kind.VOID:
        return await desk.cashier.void(payment)
    if kind is Kind.CAPTURE:
        return await desk.movements.capture(payment, None, "r1")
    return await desk.movements.refund(payment, Money("EUR", 400), "r1")


@pytest.mark.parametrize("kind", [Kind.CAPTURE, Kind.REFUND, Kind.VOID])
async def test_a_movement_whose_reply_was_lost_happens_once(
    at_stripe: Desk, account: StripeAccount, store: PaymentStore, kind: Kind
) -> None:
    """It is finished by whoever asks again, or by the worker."""
    payment = await at_stripe.cashier.authorize(new_id(), CUSTOMER, PRICE, VISA)
    if kind is Kind.REFUND:
        await at_stripe.movements.capture(payment, None, None)
    account.mute = True
    with pytest.raises(errors.Unavailable):
        await moved(at_stripe, payment, kind)
    account.mute = False
    await at_stripe.leftovers.settle(timedelta(0))
    found = await store.get(payment.id)
    assert [entry.kind for entry in found.ledger].count(kind) == 1
    assert account.intents["pi_1"]["amount_received"] == found.captured.minor_units
    assert sum(each["amount"] for each in account.refunds.values()) == found.refunded.minor_units


async def test_what_is_asked_again_after_stripe_forgot_the_key_is_looked_up_first(
    gateway: Stripe, account: StripeAccount
) -> None:
    """A capture and a refund of two days ago."""
    approved = await gateway.authorize(new_id(), PRICE, VISA)
    assert not isinstance(approved, Declined)
    begun = datetime.now(UTC) - timedelta(days=2)
    capture = Movement(new_id(), "p", approved.reference, PRICE, True, begun)  # noqa: FBT003 - final
    refund = Movement(new_id(), "p", approved.reference, Money("EUR", 10), False, begun)  # noqa: FBT003 - not final
    first = [await gateway.capture(capture), await gateway.refund(refund)]
    account.forgotten = True
    assert [await gateway.capture(capture), await gateway.refund(refund)] == first
    assert len(account.refunds) == 1


async def test_a_partial_capture_says_that_it_is_the_last(at_stripe: Desk) -> None:
    """Stripe would give up the rest unsaid."""
    payment = await at_stripe.cashier.authorize(new_id(), CUSTOMER, PRICE, VISA)
    with pytest.raises(CaptureNotFinal):
        await at_stripe.movements.capture(payment, Money("EUR", 1), None)


async def test_an_account_with_multicapture_captures_several_times(
    address: str, store: PaymentStore, account: StripeAccount
) -> None:
    """And gives up the rest by a final capture of nothing."""
    gateway = await stripe_at(address, multicapture=True)
    desk = desk_with(store, gateway)
    payment = await desk.cashier.authorize(new_id(), CUSTOMER, PRICE, VISA)
    for amount in (100, 200):
        payment = await desk.movements.capture(payment, Money("EUR", amount), None)
    voided = await desk.cashier.void(payment)
    assert (voided.captured.minor_units, voided.voided.minor_units) == (300, 700)
    assert account.intents["pi_1"]["status"] == "succeeded"
    await gateway.close()


async def test_what_stripe_refuses_is_said_in_its_words(at_stripe: Desk, account: StripeAccount) -> None:
    """Somebody cancelled it in the dashboard."""
    payment = await at_stripe.cashier.authorize(new_id(), CUSTOMER, PRICE, VISA)
    account.intents["pi_1"]["status"] = "canceled"
    with pytest.raises(GatewayRefused, match="payment_intent_unexpected_state"):
        await at_stripe.movements.capture(payment, None, None)
    assert (await at_stripe.cashier.void(payment)).state is State.VOIDED


async def test_nobody_there_is_told_apart_from_no_answer() -> None:
    """Only the first lets another gateway be asked."""
    nowhere = await stripe_at("http://127.0.0.1:1")
    with pytest.raises(GatewayDownError):
        await nowhere.authorize(new_id(), PRICE, VISA)
    await nowhere.close()


async def test_stripe_is_asked_for_what_it_settled(gateway: Stripe, account: StripeAccount) -> None:
    """Fees and payouts move no payer's money."""
    account.transactions = [
        {"id": "txn_1", "object": "balance_transaction", "reporting_category": "charge", "amount": 1000,
         "currency": "eur", "source": {"id": "ch_1", "object": "charge", "payment_intent": "pi_1"}},
        {"id": "txn_2", "object": "balance_transaction", "reporting_category": "refund", "amount": -400,
         "currency": "eur", "source": {"id": "re_1", "object": "refund", "payment_intent": "pi_1"}},
        {"id": "txn_3", "object": "balance_transaction", "reporting_category": "fee", "amount": -3,
         "currency": "eur", "source": None},
    ]  # fmt: skip
    moment = datetime.now(UTC)
    settled = [each async for each in gateway.movements(moment - LONG, moment)]
    assert [(each.kind, each.reference, each.amount.minor_units) for each in settled] == [
        (Kind.CAPTURE, "ch_1", 1000),
        (Kind.REFUND, "re_1", 400),
    ]


def signed(body: bytes, age: int = 0, secret: str = SECRET) -> dict[str, str]:
    """Sign as Stripe documents it."""
    timestamp = int(datetime.now(UTC).timestamp()) - age
    digest = hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()
    return {"stripe-signature": f"t={timestamp},v1={digest}"}


def event(kind: str, **about: object) -> bytes:
    """Write an event."""
    return json.dumps({"id": "evt_1", "object": "event", "type": kind, "data": {"object": about}}).encode()


def test_stripes_signature_is_checked_over_the_very_bytes() -> None:
    """And its age."""
    line, moment = StripeNotifications(SECRET), datetime.now(UTC)
    body = event("refund.failed", id="re_1")
    (delivery,) = line.verified(signed(body), body, moment)
    assert (delivery.event_id, delivery.type, delivery.content) == ("evt_1", "refund.failed", body)
    for headers, changed in (
        (signed(body), body + b" "), (signed(body, age=301), body), (signed(body, secret="other"), body), ({}, body),
    ):  # fmt: skip
        with pytest.raises(SignatureInvalidError):
            line.verified(headers, changed, moment)
    with pytest.raises(MalformedError):
        line.verified(signed(b"[]"), b"[]", moment)


NOTED = {"metadata": {"payment_id": "p", "operation_id": "o"}}


@pytest.mark.parametrize(
    ("kind", "about", "fact"),
    [
        ("payment_intent.amount_capturable_updated", {"id": "pi", **NOTED}, Authorized),
        ("payment_intent.payment_failed", {"id": "pi", **NOTED}, NotAuthorized),
        ("payment_intent.canceled", {"id": "pi", "cancellation_reason": "automatic", **NOTED}, HoldEnded),
        ("refund.failed", {"id": "re", "status": "failed", **NOTED}, Moved),
        ("refund.updated", {"id": "re", "status": "pending", **NOTED}, None),
        ("refund.updated", {"id": "re", "status": "failed", "metadata": {}}, None),
        (
            "charge.dispute.funds_withdrawn",
            {"id": "dp", "payment_intent": "pi", "amount": 5, "currency": "eur", "status": "needs_response"},
            Disputed,
        ),
        ("payout.paid", {"id": "po"}, None),
    ],
)
def test_stripes_events_are_facts(kind: str, about: dict[str, Any], fact: type | None) -> None:
    """Those that concern us."""
    found = StripeNotifications(SECRET).fact(event(kind, **about))
    assert found is None if fact is None else isinstance(found, fact)
    with pytest.raises(MalformedError):
        StripeNotifications(SECRET).fact(event("refund.failed", **NOTED))
