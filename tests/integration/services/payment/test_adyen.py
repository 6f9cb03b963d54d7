"""Adyen by its library, against a server that speaks its documented protocol: the same rules for another gateway."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio

from mesh import errors
from services.common.ids import new_id
from services.common.money import Money
from services.payment.adapters.adyen import AdyenGateway, AdyenNotifications
from services.payment.adapters.gateway import GatewayDownError, MalformedError, SignatureInvalidError
from services.payment.breaker import Breaker, Guarded
from services.payment.domain.errors import GatewayRefused
from services.payment.domain.payment import DisputeState, Kind, Payment, State
from services.payment.routing import Gateways
from services.payment.store import PaymentStore
from tests.integration.services.payment.adyen_account import API_KEY, DECLINED, HMAC_KEY, MERCHANT, AdyenAccount
from tests.integration.services.payment.conftest import Desk, desk_of
from tests.integration.services.payment.stripe_account import Served

CUSTOMER = "01890000-0000-7000-8000-00000000c001"
PRICE = Money("EUR", 1000)
CARD = "stored_visa"
LONG = timedelta(seconds=20)


def adyen_at(address: str) -> AdyenGateway:
    """Connect."""
    return AdyenGateway(
        API_KEY, MERCHANT, live_prefix=None, several_captures=True, address=f"{address}/v72", timeout=LONG
    )


@pytest.fixture
def account() -> AdyenAccount:
    """Open an account."""
    return AdyenAccount()


@pytest_asyncio.fixture
async def gateway(account: AdyenAccount) -> AsyncIterator[AdyenGateway]:
    """Serve it and connect."""
    async with Served(account.handle) as address:
        yield adyen_at(address)


@pytest.fixture
def at_adyen(store: PaymentStore, gateway: AdyenGateway) -> Desk:
    """Route everything to Adyen."""
    guarded = Guarded(gateway, Breaker(1000, LONG), LONG)
    return desk_of(store, Gateways({"adyen": guarded}, {"*": ["adyen"]}))


async def told(desk: Desk, delivery: bytes) -> None:
    """Act upon a notification as if it had been delivered."""
    line = AdyenNotifications(HMAC_KEY)
    for each in line.verified({}, delivery, datetime.now(UTC)):
        fact = line.fact(each.content)
        assert fact is not None
        await desk.bookkeeper.note("adyen", fact)


async def test_a_payment_is_held_captured_several_times_and_refunded(at_adyen: Desk, account: AdyenAccount) -> None:
    """Each movement is known by Adyen's reference of it."""
    payment = await at_adyen.cashier.authorize(new_id(), CUSTOMER, PRICE, CARD)
    assert (payment.state, payment.gateway_reference) == (State.AUTHORIZED, "PSP1")
    for amount in (100, 200):
        await at_adyen.movements.capture(payment, Money("EUR", amount), None)
    refunded = await at_adyen.movements.refund(payment, Money("EUR", 50), None)
    assert [entry.reference for entry in refunded.ledger[1:]] == ["PSP2", "PSP3", "PSP4"]
    assert [each["value"] for each in account.modifications] == [100, 200, 50]
    assert (await at_adyen.cashier.void(refunded)).voided == Money("EUR", 700)


async def test_a_refusal_and_a_token_that_is_none_are_told_apart(at_adyen: Desk) -> None:
    """Reasons are the same as other gateways'."""
    declined = await at_adyen.cashier.authorize(new_id(), CUSTOMER, PRICE, DECLINED)
    assert declined.failure_reason == "INSUFFICIENT_FUNDS"
    unknown = await at_adyen.cashier.authorize(new_id(), CUSTOMER, PRICE, "4111111111111111")
    assert unknown.failure_reason == "INVALID_PAYMENT_TOKEN"


async def test_an_authorization_whose_reply_was_lost_is_asked_for_by_its_key(
    at_adyen: Desk, account: AdyenAccount
) -> None:
    """By whoever has the token."""
    order_id = new_id()
    account.mute = True
    assert (await at_adyen.cashier.authorize(order_id, CUSTOMER, PRICE, CARD)).state is State.PENDING
    account.mute = False
    payment = await at_adyen.cashier.authorize(order_id, CUSTOMER, PRICE, CARD)
    assert (payment.state, len(account.payments)) == (State.AUTHORIZED, 1)


async def test_without_the_token_the_payment_is_cancelled_by_our_reference(
    at_adyen: Desk, account: AdyenAccount, store: PaymentStore
) -> None:
    """Its notification, which comes too late, changes nothing and is answered by another cancel."""
    account.mute = True
    payment = await at_adyen.cashier.authorize(new_id(), CUSTOMER, PRICE, CARD)
    account.mute = False
    await at_adyen.leftovers.settle(timedelta(0))
    assert (await store.get(payment.id)).failure_reason == "GATEWAY_TIMEOUT"
    assert account.payments["PSP1"]["cancelled"]
    account.payments["PSP1"]["cancelled"] = False
    await told(at_adyen, account.notification("AUTHORISATION", "PSP1", payment.id))
    assert (await store.get(payment.id)).state is State.FAILED
    assert account.payments["PSP1"]["cancelled"]


async def test_the_notification_of_an_authorization_settles_it(
    at_adyen: Desk, account: AdyenAccount, store: PaymentStore
) -> None:
    """It may come before anybody asks."""
    account.mute = True
    payment = await at_adyen.cashier.authorize(new_id(), CUSTOMER, PRICE, CARD)
    account.mute = False
    await told(at_adyen, account.notification("AUTHORISATION", "PSP1", payment.id))
    found = await store.get(payment.id)
    assert (found.state, found.gateway_reference) == (State.AUTHORIZED, "PSP1")


async def moved(desk: Desk, payment: Payment, kind: Kind) -> Payment:
    """Move money."""
    if kind is Kind.VOID:
        return await desk.cashier.void(payment)
    if kind is Kind.CAPTURE:
        return await desk.movements.capture(payment, None, "r1")
    return await desk.movements.refund(payment, Money("EUR", 400), "r1")


@pytest.mark.parametrize("kind", [Kind.CAPTURE, Kind.REFUND, Kind.VOID])
async def test_a_movement_whose_reply_was_lost_happens_once(
    at_adyen: Desk, account: AdyenAccount, store: PaymentStore, kind: Kind
) -> None:
    """It is finished by the worker, with the same key."""
    payment = await at_adyen.cashier.authorize(new_id(), CUSTOMER, PRICE, CARD)
    if kind is Kind.REFUND:
        await at_adyen.movements.capture(payment, None, None)
    before = len(account.modifications)
    account.mute = True
    with pytest.raises(errors.Unavailable):
        await moved(at_adyen, payment, kind)
    account.mute = False
    await at_adyen.leftovers.settle(timedelta(0))
    found = await store.get(payment.id)
    assert [entry.kind for entry in found.ledger].count(kind) == 1
    assert len(account.modifications) == before + 1


async def test_a_capture_that_failed_after_it_was_accepted_is_reversed_once(
    at_adyen: Desk, account: AdyenAccount, store: PaymentStore
) -> None:
    """What was accepted counts as captured until Adyen says otherwise; a confirmation changes nothing."""
    payment = await at_adyen.cashier.authorize(new_id(), CUSTOMER, PRICE, CARD)
    captured = await at_adyen.movements.capture(payment, None, None)
    operation_id = str(captured.ledger[-1].operation_id)
    await told(at_adyen, account.notification("CAPTURE", "PSP2", operation_id))
    assert await store.get(payment.id) == captured
    for _ in range(2):
        await told(at_adyen, account.notification("CAPTURE_FAILED", "PSP2", operation_id))
    found = await store.get(payment.id)
    assert [entry.kind for entry in found.ledger[1:]] == [Kind.CAPTURE, Kind.CAPTURE_REVERSAL]


async def test_a_chargeback_is_taken_returned_and_taken_again(
    at_adyen: Desk, account: AdyenAccount, store: PaymentStore
) -> None:
    """One dispute, three movements."""
    payment = await at_adyen.cashier.authorize(new_id(), CUSTOMER, PRICE, CARD)
    payment = await at_adyen.movements.capture(payment, None, None)
    for number, code in enumerate(("CHARGEBACK", "CHARGEBACK_REVERSED", "SECOND_CHARGEBACK")):
        delivery = account.notification(code, f"CB{number}", payment.id, originalReference="PSP1", reason="fraud")
        await told(at_adyen, delivery)
    found = await store.get(payment.id)
    assert [entry.kind for entry in found.ledger[2:]] == [Kind.CHARGEBACK, Kind.CHARGEBACK_REVERSAL, Kind.CHARGEBACK]
    assert found.charged_back == PRICE
    (dispute,) = await store.disputes(payment.id, None, 10)
    assert dispute.state is DisputeState.LOST


async def test_what_adyen_refuses_is_said_in_its_words(at_adyen: Desk, account: AdyenAccount) -> None:
    """It knows no such payment."""
    payment = await at_adyen.cashier.authorize(new_id(), CUSTOMER, PRICE, CARD)
    held = account.payments.pop("PSP1")
    with pytest.raises(GatewayRefused, match="167"):
        await at_adyen.movements.capture(payment, None, None)
    account.payments["PSP1"] = held


async def test_nobody_there_is_told_apart_from_no_answer() -> None:
    """So is being turned away unread."""
    with pytest.raises(GatewayDownError):
        await adyen_at("http://127.0.0.1:1").authorize(new_id(), PRICE, CARD)
    async with Served(AdyenAccount().handle) as address:
        stranger = AdyenGateway("x", MERCHANT, live_prefix=None, several_captures=True, address=address, timeout=LONG)
        with pytest.raises(GatewayDownError):
            await stranger.authorize(new_id(), PRICE, CARD)


def test_adyens_signature_is_checked_for_every_item(account: AdyenAccount) -> None:
    """Over what it tells, and that it isn't from long ago."""
    line, moment = AdyenNotifications(HMAC_KEY), datetime.now(UTC)
    body = account.notification("CAPTURE", "PSP2", "o")
    (delivery,) = line.verified({}, body, moment)
    assert (delivery.event_id, delivery.type) == ("CAPTURE:PSP2:true", "CAPTURE")
    forged = json.loads(body)
    forged["notificationItems"].append(json.loads(body)["notificationItems"][0])
    forged["notificationItems"][1]["NotificationRequestItem"]["amount"]["value"] = 1
    unsigned = json.loads(body)
    del unsigned["notificationItems"][0]["NotificationRequestItem"]["additionalData"]
    for each in (forged, unsigned):
        with pytest.raises(SignatureInvalidError):
            line.verified({}, json.dumps(each).encode(), moment)
    with pytest.raises(SignatureInvalidError):
        line.verified({}, body, moment + timedelta(days=9))
    for unreadable in (b"", b"{}", b'{"notificationItems": []}', b'{"notificationItems": [{}]}'):
        with pytest.raises(MalformedError):
            line.verified({}, unreadable, moment)
