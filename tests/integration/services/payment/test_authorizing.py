"""Money is held once for each order, whatever is repeated, lost or cancelled on the way."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from services.common.ids import new_id
from services.common.money import Money
from services.payment.cashier import Cashier
from services.payment.domain.errors import AmountDiffers, PaymentCancelled
from services.payment.domain.payment import State
from services.payment.store import PaymentStore
from tests.integration.services.payment.conftest import PATIENCE, Desk
from tests.integration.services.payment.gateway import Gateway

CUSTOMER = "01890000-0000-7000-8000-00000000c001"
PRICE = Money("EUR", 1999)


async def test_an_approved_payment_is_held(cashier: Cashier) -> None:
    """The ledger has the one movement."""
    payment = await cashier.authorize(new_id(), CUSTOMER, PRICE, "tok_visa")
    assert (payment.state, payment.authorized, payment.captured) == (State.AUTHORIZED, PRICE, Money("EUR", 0))
    assert [(entry.kind, entry.amount) for entry in payment.ledger] == [("AUTHORIZATION", PRICE)]


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        ("tok_declined", "CARD_DECLINED"),
        ("tok_insufficient_funds", "INSUFFICIENT_FUNDS"),
        ("tok_from_elsewhere", "INVALID_PAYMENT_TOKEN"),
    ],
)
async def test_a_declined_payment_says_why(cashier: Cashier, gateway: Gateway, token: str, reason: str) -> None:
    """Asked again it is not tried again."""
    order_id = new_id()
    first = await cashier.authorize(order_id, CUSTOMER, PRICE, token)
    assert (first.state, first.failure_reason, first.ledger) == (State.FAILED, reason, ())
    assert await cashier.authorize(order_id, CUSTOMER, PRICE, "tok_visa") == first
    assert gateway.authorizations == 1


async def test_two_who_authorize_at_once_charge_once(cashier: Cashier, gateway: Gateway) -> None:
    """Both get the same payment."""
    order_id = new_id()
    asked = (cashier.authorize(order_id, CUSTOMER, PRICE, "tok_visa") for _ in range(16))
    payments = await asyncio.gather(*asked)
    assert len({payment.id for payment in payments}) == 1
    assert {payment.state for payment in payments} == {State.AUTHORIZED}
    assert gateway.authorizations == 1


async def test_another_amount_for_the_same_order_is_refused(cashier: Cashier) -> None:
    """The first one stands."""
    order_id = new_id()
    first = await cashier.authorize(order_id, CUSTOMER, PRICE, "tok_visa")
    with pytest.raises(AmountDiffers):
        await cashier.authorize(order_id, CUSTOMER, PRICE + PRICE, "tok_visa")
    with pytest.raises(AmountDiffers):
        await cashier.authorize(order_id, CUSTOMER, Money("USD", 1999), "tok_visa")
    assert await cashier.authorize(order_id, CUSTOMER, PRICE, "tok_visa") == first


async def test_a_lost_reply_ends_in_one_authorization(cashier: Cashier, gateway: Gateway) -> None:
    """The gateway is asked what it did instead of being asked to do it again."""
    order_id = new_id()
    payment = await cashier.authorize(order_id, CUSTOMER, PRICE, "tok_lost_reply")
    assert payment.state is State.AUTHORIZED
    assert await cashier.authorize(order_id, CUSTOMER, PRICE, "tok_lost_reply") == payment
    assert gateway.authorizations == 1


async def test_a_request_that_never_arrives_ends_with_nothing_held(cashier: Cashier, gateway: Gateway) -> None:
    """It is forgotten there too, should it still come: the books check that."""
    payment = await cashier.authorize(new_id(), CUSTOMER, PRICE, "tok_timeout")
    assert (payment.state, payment.failure_reason) == (State.FAILED, "GATEWAY_TIMEOUT")
    await gateway.authorize(payment.id, PRICE, "tok_visa")


async def test_while_the_gateway_is_away_nobody_knows(cashier: Cashier, gateway: Gateway, store: PaymentStore) -> None:
    """PENDING is not an outcome; the gateway is asked again by whoever comes next."""
    order_id = new_id()
    gateway.cut = True
    payment = await cashier.authorize(order_id, CUSTOMER, PRICE, "tok_visa")
    assert payment.state is State.PENDING
    assert (await cashier.authorize(order_id, CUSTOMER, PRICE, "tok_visa")).state is State.PENDING
    gateway.cut = False
    assert (await cashier.authorize(order_id, CUSTOMER, PRICE, "tok_visa")).failure_reason == "GATEWAY_TIMEOUT"
    assert (await store.get(payment.id)).state is State.FAILED


async def test_a_process_that_dies_after_asking_leaves_a_payment_that_is_settled_later(
    desk: Desk, gateway: Gateway, store: PaymentStore
) -> None:
    """Here the gateway held the money and nobody wrote it down."""
    order_id = new_id()
    gateway.mute = True
    assert (await desk.cashier.authorize(order_id, CUSTOMER, PRICE, "tok_visa")).state is State.PENDING
    gateway.mute = False
    await desk.leftovers.settle(older_than=timedelta(0))
    found = await store.of_order(order_id)
    assert found is not None
    assert (found.state, gateway.authorizations) == (State.AUTHORIZED, 1)


async def test_a_cancelled_order_gets_its_money_back(cashier: Cashier) -> None:
    """Cancelled again it stays so, and no request for money can follow."""
    order_id = new_id()
    await cashier.authorize(order_id, CUSTOMER, PRICE, "tok_visa")
    cancelled = await asyncio.gather(*(cashier.cancel_order(order_id) for _ in range(4)), return_exceptions=True)
    assert any(getattr(payment, "state", None) is State.VOIDED for payment in cancelled)
    payment = await cashier.cancel_order(order_id)
    assert [entry.kind for entry in payment.ledger] == ["AUTHORIZATION", "VOID"]
    with pytest.raises(PaymentCancelled):
        await cashier.authorize(order_id, CUSTOMER, PRICE, "tok_visa")


async def test_a_cancellation_that_comes_first_keeps_money_from_being_held(cashier: Cashier, gateway: Gateway) -> None:
    """The request for money was still on its way."""
    order_id = new_id()
    assert (await cashier.cancel_order(order_id)).state is State.VOIDED
    with pytest.raises(PaymentCancelled):
        await cashier.authorize(order_id, CUSTOMER, PRICE, "tok_visa")
    assert gateway.authorizations == 0
    assert (await cashier.cancel_order(order_id)).state is State.VOIDED


async def test_a_failed_payment_has_nothing_to_cancel(cashier: Cashier) -> None:
    """It stays as it is."""
    order_id = new_id()
    failed = await cashier.authorize(order_id, CUSTOMER, PRICE, "tok_declined")
    assert await cashier.cancel_order(order_id) == failed


async def test_authorize_and_cancel_at_once_end_with_nothing_held(cashier: Cashier, store: PaymentStore) -> None:
    """The saga repeats its cancellation until it is told that it worked."""
    orders = [new_id() for _ in range(12)]
    asked = [
        work
        for order_id in orders
        for work in (cashier.authorize(order_id, CUSTOMER, PRICE, "tok_visa"), cashier.cancel_order(order_id))
    ]
    await asyncio.gather(*asked, return_exceptions=True)
    for order_id in orders:
        await cashier.cancel_order(order_id)
        payment = await store.of_order(order_id)
        assert payment is not None
        assert payment.state in {State.VOIDED, State.FAILED}


async def test_a_payment_that_nobody_waits_for_is_resolved_by_whoever_looks_at_it(
    cashier: Cashier, gateway: Gateway, store: PaymentStore
) -> None:
    """One whose request may still be under way is left alone."""
    gateway.mute = True
    payment = await cashier.authorize(new_id(), CUSTOMER, PRICE, "tok_visa")
    gateway.mute = False
    fresh = replace(payment, create_time=datetime.now(UTC))
    assert (await cashier.looked_up(fresh)).state is State.PENDING
    await asyncio.sleep(PATIENCE.total_seconds())
    assert (await cashier.looked_up(await store.get(payment.id))).state is State.AUTHORIZED
