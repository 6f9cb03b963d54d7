"""Captures, refunds and voids: never more than there is, once for each request, never two that exclude each other."""

import asyncio
from datetime import timedelta

import pytest

from mesh import errors
from ordermesh.payment.v1 import payment_events_pb2
from services.common import events
from services.common.database import Database
from services.common.ids import new_id
from services.common.money import Money
from services.payment.cashier import Cashier
from services.payment.domain import Kind, NotAllowed, Payment, RequestIdReused, State, TooMuch
from services.payment.events import payment_to_proto
from services.payment.store import PaymentStore
from tests.integration.services.payment.gateway import Gateway

CUSTOMER = "01890000-0000-7000-8000-00000000c001"


def euros(minor_units: int) -> Money:
    """Make an amount."""
    return Money("EUR", minor_units)


async def held(cashier: Cashier, amount: int = 1000) -> Payment:
    """Have an amount authorized."""
    return await cashier.authorize(new_id(), CUSTOMER, euros(amount), "tok_visa")


async def test_no_more_is_captured_than_was_authorized(cashier: Cashier, store: PaymentStore) -> None:
    """Of ten at once that want 300 of 1000, three get it."""
    payment = await held(cashier)
    asked = (cashier.move(payment, Kind.CAPTURE, euros(300), None) for _ in range(10))
    outcomes = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes].count(TooMuch) == 7
    assert [type(outcome) for outcome in outcomes].count(Payment) == 3
    assert (await store.get(payment.id)).captured == euros(900)
    assert (await cashier.move(payment, Kind.CAPTURE, None, None)).captured == euros(1000)


async def test_no_more_is_refunded_than_was_captured(cashier: Cashier, store: PaymentStore) -> None:
    """Of ten at once that want 200 of 500, two get it."""
    payment = await held(cashier)
    await cashier.move(payment, Kind.CAPTURE, euros(500), None)
    asked = (cashier.move(payment, Kind.REFUND, euros(200), None) for _ in range(10))
    outcomes = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes].count(TooMuch) == 8
    assert (await store.get(payment.id)).refunded == euros(400)


async def test_captures_and_refunds_at_once_stay_in_bounds(cashier: Cashier, store: PaymentStore) -> None:
    """The database would refuse it otherwise, and the books compare it with the gateway's."""
    payment = await held(cashier)
    await cashier.move(payment, Kind.CAPTURE, euros(100), None)
    asked = [cashier.move(payment, kind, euros(90), None) for kind in (Kind.CAPTURE, Kind.REFUND) for _ in range(12)]
    for outcome in await asyncio.gather(*asked, return_exceptions=True):
        assert isinstance(outcome, (Payment, TooMuch)), outcome
    now = await store.get(payment.id)
    assert euros(0) < now.refunded <= now.captured <= euros(1000)


async def test_every_event_holds_the_payment_as_it_then_was(cashier: Cashier, database: Database) -> None:
    """With the movement that it tells of in its ledger."""
    payment = await held(cashier)
    captured = await cashier.move(payment, Kind.CAPTURE, euros(300), None)
    refunded = await cashier.move(payment, Kind.REFUND, euros(300), None)
    voided = await cashier.void(await held(cashier))
    async with database.autocommit() as connection:
        stored = await events.read(connection, payment.id, after=1, limit=10)
        stored += await events.read(connection, voided.id, after=2, limit=10)
    names = [each.type.rpartition(".")[2] for each in stored]
    assert names == ["PaymentAuthorized", "PaymentCaptured", "PaymentRefunded", "PaymentVoided"]
    told = [
        getattr(payment_events_pb2, name).FromString(each.payload).payment
        for name, each in zip(names, stored, strict=True)
    ]
    assert told == [payment_to_proto(each) for each in (payment, captured, refunded, voided)]
    assert [len(each.ledger) for each in told] == [1, 2, 3, 2]


async def test_the_same_request_moves_money_once(cashier: Cashier, store: PaymentStore) -> None:
    """At once and later, for a part and for all that is left."""
    payment = await held(cashier)
    await asyncio.gather(*(cashier.move(payment, Kind.CAPTURE, euros(300), "r1") for _ in range(8)))
    assert (await store.get(payment.id)).captured == euros(300)
    for _ in range(2):
        await cashier.move(payment, Kind.CAPTURE, None, "r2")
        assert (await store.get(payment.id)).captured == euros(1000)
    # A refund is another request, even by the same id.
    assert (await cashier.move(payment, Kind.REFUND, euros(300), "r1")).refunded == euros(300)


async def test_a_request_id_of_another_amount_is_refused(cashier: Cashier) -> None:
    """The first one stands."""
    payment = await held(cashier)
    await cashier.move(payment, Kind.CAPTURE, euros(300), "r1")
    with pytest.raises(RequestIdReused):
        await cashier.move(payment, Kind.CAPTURE, euros(301), "r1")


async def test_a_capture_whose_reply_was_lost_is_finished_by_asking_again(
    cashier: Cashier, gateway: Gateway, store: PaymentStore
) -> None:
    """The gateway knows it by its key, so the money is taken once."""
    payment = await held(cashier)
    gateway.mute = True
    with pytest.raises(errors.Unavailable) as failure:
        await cashier.move(payment, Kind.CAPTURE, euros(300), "r1")
    assert failure.value.reason == "GATEWAY_UNREACHABLE"
    gateway.mute = False
    assert (await cashier.move(payment, Kind.CAPTURE, euros(300), "r1")).captured == euros(300)
    assert (await store.get(payment.id)).captured == euros(300)


async def test_a_capture_that_nobody_repeats_is_finished_as_a_leftover(
    cashier: Cashier, gateway: Gateway, store: PaymentStore
) -> None:
    """Two workers at once finish it once."""
    payment = await held(cashier)
    gateway.cut = True
    with pytest.raises(errors.Unavailable):
        await cashier.move(payment, Kind.CAPTURE, euros(300), None)
    gateway.cut = False
    await asyncio.gather(*(cashier.settle_leftovers(older_than=timedelta(0)) for _ in range(3)))
    assert (await store.get(payment.id)).captured == euros(300)


async def test_money_that_is_being_captured_can_not_be_refunded_yet(
    cashier: Cashier, gateway: Gateway, store: PaymentStore
) -> None:
    """It may never come."""
    payment = await held(cashier)
    await cashier.move(payment, Kind.CAPTURE, euros(100), None)
    gateway.open.clear()
    capture = asyncio.create_task(cashier.move(payment, Kind.CAPTURE, euros(500), None))
    await gateway.waiting.wait()
    with pytest.raises(TooMuch):
        await cashier.move(payment, Kind.REFUND, euros(300), None)
    gateway.open.set()
    await capture
    assert (await cashier.move(payment, Kind.REFUND, euros(300), None)).refunded == euros(300)
    assert (await store.get(payment.id)).captured == euros(600)


async def test_what_is_being_captured_can_not_be_voided(
    cashier: Cashier, gateway: Gateway, store: PaymentStore
) -> None:
    """The hold is given up or the money is taken, never both."""
    payment = await held(cashier)
    gateway.open.clear()
    capture = asyncio.create_task(cashier.move(payment, Kind.CAPTURE, euros(500), None))
    await gateway.waiting.wait()
    with pytest.raises(errors.FailedPrecondition):
        await cashier.void(await store.get(payment.id))
    gateway.open.set()
    assert (await capture).state is State.CAPTURED


async def test_what_is_being_voided_can_not_be_captured(
    cashier: Cashier, gateway: Gateway, store: PaymentStore
) -> None:
    """Also while the gateway's answer is lost: the void is finished by whoever asks again."""
    payment = await held(cashier)
    gateway.mute = True
    with pytest.raises(errors.Unavailable):
        await cashier.void(payment)
    gateway.mute = False
    with pytest.raises(NotAllowed):
        await cashier.move(payment, Kind.CAPTURE, euros(500), None)
    assert (await cashier.void(payment)).state is State.VOIDED
    assert [entry.kind for entry in (await store.get(payment.id)).ledger] == ["AUTHORIZATION", "VOID"]


async def test_a_void_that_nobody_repeats_is_finished_as_a_leftover(
    cashier: Cashier, gateway: Gateway, store: PaymentStore
) -> None:
    """The process died after it had asked the gateway."""
    payment = await held(cashier)
    gateway.mute = True
    with pytest.raises(errors.Unavailable):
        await cashier.cancel_order(payment.order_id)
    gateway.mute = False
    await cashier.settle_leftovers(older_than=timedelta(0))
    assert (await store.get(payment.id)).state is State.VOIDED


async def test_voids_and_captures_at_once_have_one_winner(cashier: Cashier, store: PaymentStore) -> None:
    """For each payment; the books compare with the gateway."""
    payments = [await held(cashier) for _ in range(10)]
    asked = [
        work
        for payment in payments
        for work in (cashier.move(payment, Kind.CAPTURE, None, None), cashier.void(payment))
    ]
    outcomes = await asyncio.gather(*asked, return_exceptions=True)
    assert sum(isinstance(outcome, errors.Error) for outcome in outcomes) == len(payments)
    assert sum(isinstance(outcome, errors.FailedPrecondition) for outcome in outcomes) == len(payments)
    states = {(await store.get(payment.id)).state for payment in payments}
    assert states <= {State.CAPTURED, State.VOIDED}


async def test_captured_money_is_refunded_and_not_voided(cashier: Cashier) -> None:
    """Nor is an order cancelled whose money was taken."""
    payment = await cashier.move(await held(cashier), Kind.CAPTURE, euros(1), None)
    with pytest.raises(NotAllowed):
        await cashier.void(payment)
    with pytest.raises(NotAllowed):
        await cashier.cancel_order(payment.order_id)


async def test_a_leftover_that_can_not_be_settled_does_not_keep_the_others_from_it(
    cashier: Cashier, gateway: Gateway, store: PaymentStore
) -> None:
    """One gateway account in disorder is one payment's trouble."""
    payments = [await held(cashier) for _ in range(3)]
    gateway.cut = True
    for payment in payments:
        with pytest.raises(errors.Unavailable):
            await cashier.move(payment, Kind.CAPTURE, euros(300), None)
    gateway.cut = False
    gateway.lost.add(payments[0].gateway_reference)
    await cashier.settle_leftovers(older_than=timedelta(0))
    assert [(await store.get(payment.id)).captured for payment in payments] == [euros(0), euros(300), euros(300)]
    gateway.lost.clear()
    await cashier.settle_leftovers(older_than=timedelta(0))
