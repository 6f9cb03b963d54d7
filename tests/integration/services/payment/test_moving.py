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
from services.payment.domain.errors import CaptureNotFinal, GatewayRefused, NotAllowed, RequestIdReused, TooMuch
from services.payment.domain.payment import Payment, State
from services.payment.events import payment_to_proto
from services.payment.routing import Gateways
from services.payment.store import PaymentStore
from tests.integration.services.payment.conftest import Desk, desk_of, guarded
from tests.integration.services.payment.gateway import Gateway

CUSTOMER = "01890000-0000-7000-8000-00000000c001"


def euros(minor_units: int) -> Money:
    """Make an amount."""
    return Money("EUR", minor_units)


async def held(desk: Desk, amount: int = 1000) -> Payment:
    """Have an amount authorized."""
    return await desk.cashier.authorize(new_id(), CUSTOMER, euros(amount), "tok_visa")


async def test_no_more_is_captured_than_was_authorized(desk: Desk, store: PaymentStore) -> None:
    """Of ten at once that want 300 of 1000, three get it."""
    payment = await held(desk)
    asked = (desk.movements.capture(payment, euros(300), None) for _ in range(10))
    outcomes = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes].count(TooMuch) == 7
    assert [type(outcome) for outcome in outcomes].count(Payment) == 3
    assert (await store.get(payment.id)).captured == euros(900)
    assert (await desk.movements.capture(payment, None, None)).captured == euros(1000)


async def test_no_more_is_refunded_than_was_captured(desk: Desk, store: PaymentStore) -> None:
    """Of ten at once that want 200 of 500, two get it."""
    payment = await held(desk)
    await desk.movements.capture(payment, euros(500), None)
    asked = (desk.movements.refund(payment, euros(200), None) for _ in range(10))
    outcomes = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes].count(TooMuch) == 8
    assert (await store.get(payment.id)).refunded == euros(400)


async def test_captures_and_refunds_at_once_stay_in_bounds(desk: Desk, store: PaymentStore) -> None:
    """The database would refuse it otherwise, and the books compare it with the gateway's."""
    payment = await held(desk)
    await desk.movements.capture(payment, euros(100), None)
    asked = [
        move(payment, euros(90), None) for move in (desk.movements.capture, desk.movements.refund) for _ in range(12)
    ]
    for outcome in await asyncio.gather(*asked, return_exceptions=True):
        assert isinstance(outcome, (Payment, TooMuch)), outcome
    now = await store.get(payment.id)
    assert euros(0) < now.refunded <= now.captured <= euros(1000)


async def test_every_event_holds_the_payment_as_it_then_was(desk: Desk, database: Database) -> None:
    """With the movement that it tells of in its ledger."""
    payment = await held(desk)
    captured = await desk.movements.capture(payment, euros(300), None)
    refunded = await desk.movements.refund(payment, euros(300), None)
    voided = await desk.cashier.void(await held(desk))
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


async def test_the_same_request_moves_money_once(desk: Desk, store: PaymentStore) -> None:
    """At once and later, for a part and for all that is left."""
    payment = await held(desk)
    await asyncio.gather(*(desk.movements.capture(payment, euros(300), "r1") for _ in range(8)))
    assert (await store.get(payment.id)).captured == euros(300)
    for _ in range(2):
        await desk.movements.capture(payment, None, "r2")
        assert (await store.get(payment.id)).captured == euros(1000)
    # A refund is another request, even by the same id.
    assert (await desk.movements.refund(payment, euros(300), "r1")).refunded == euros(300)


async def test_a_request_id_of_another_amount_is_refused(desk: Desk) -> None:
    """The first one stands."""
    payment = await held(desk)
    await desk.movements.capture(payment, euros(300), "r1")
    with pytest.raises(RequestIdReused):
        await desk.movements.capture(payment, euros(301), "r1")


async def test_a_capture_whose_reply_was_lost_is_finished_by_asking_again(
    desk: Desk, gateway: Gateway, store: PaymentStore
) -> None:
    """The gateway knows it by its key, so the money is taken once."""
    payment = await held(desk)
    gateway.mute = True
    with pytest.raises(errors.Unavailable) as failure:
        await desk.movements.capture(payment, euros(300), "r1")
    assert failure.value.reason == "GATEWAY_UNREACHABLE"
    gateway.mute = False
    assert (await desk.movements.capture(payment, euros(300), "r1")).captured == euros(300)
    assert (await store.get(payment.id)).captured == euros(300)


async def test_a_capture_that_nobody_repeats_is_finished_as_a_leftover(
    desk: Desk, gateway: Gateway, store: PaymentStore
) -> None:
    """Two workers at once finish it once."""
    payment = await held(desk)
    gateway.cut = True
    with pytest.raises(errors.Unavailable):
        await desk.movements.capture(payment, euros(300), None)
    gateway.cut = False
    await asyncio.gather(*(desk.leftovers.settle(older_than=timedelta(0)) for _ in range(3)))
    assert (await store.get(payment.id)).captured == euros(300)


async def test_money_that_is_being_captured_can_not_be_refunded_yet(
    desk: Desk, gateway: Gateway, store: PaymentStore
) -> None:
    """It may never come."""
    payment = await held(desk)
    await desk.movements.capture(payment, euros(100), None)
    gateway.open.clear()
    capture = asyncio.create_task(desk.movements.capture(payment, euros(500), None))
    await gateway.waiting.wait()
    with pytest.raises(TooMuch):
        await desk.movements.refund(payment, euros(300), None)
    gateway.open.set()
    await capture
    assert (await desk.movements.refund(payment, euros(300), None)).refunded == euros(300)
    assert (await store.get(payment.id)).captured == euros(600)


async def test_what_is_being_captured_can_not_be_voided(desk: Desk, gateway: Gateway, store: PaymentStore) -> None:
    """The hold is given up or the money is taken, never both."""
    payment = await held(desk)
    gateway.open.clear()
    capture = asyncio.create_task(desk.movements.capture(payment, euros(500), None))
    await gateway.waiting.wait()
    with pytest.raises(errors.Aborted):
        await desk.cashier.void(await store.get(payment.id))
    gateway.open.set()
    assert (await capture).state is State.CAPTURED


async def test_what_is_being_voided_can_not_be_captured(desk: Desk, gateway: Gateway, store: PaymentStore) -> None:
    """Also while the gateway's answer is lost: the void is finished by whoever asks again."""
    payment = await held(desk)
    gateway.mute = True
    with pytest.raises(errors.Unavailable):
        await desk.cashier.void(payment)
    gateway.mute = False
    with pytest.raises(NotAllowed):
        await desk.movements.capture(payment, euros(500), None)
    assert (await desk.cashier.void(payment)).state is State.VOIDED
    assert [entry.kind for entry in (await store.get(payment.id)).ledger] == ["AUTHORIZATION", "VOID"]


async def test_a_void_that_nobody_repeats_is_finished_as_a_leftover(
    desk: Desk, gateway: Gateway, store: PaymentStore
) -> None:
    """The process died after it had asked the gateway."""
    payment = await held(desk)
    gateway.mute = True
    with pytest.raises(errors.Unavailable):
        await desk.cashier.cancel_order(payment.order_id)
    gateway.mute = False
    await desk.leftovers.settle(older_than=timedelta(0))
    assert (await store.get(payment.id)).state is State.VOIDED


async def test_voids_and_captures_at_once_have_one_winner(desk: Desk, store: PaymentStore) -> None:
    """For each payment; the books compare with the gateway."""
    payments = [await held(desk) for _ in range(10)]
    asked = [
        work
        for payment in payments
        for work in (desk.movements.capture(payment, None, None), desk.cashier.void(payment))
    ]
    outcomes = await asyncio.gather(*asked, return_exceptions=True)
    assert sum(isinstance(outcome, errors.Error) for outcome in outcomes) == len(payments)
    refusals = [outcome for outcome in outcomes if isinstance(outcome, errors.Error)]
    assert {each.code for each in refusals} <= {"FAILED_PRECONDITION", "ABORTED"}
    states = {(await store.get(payment.id)).state for payment in payments}
    assert states <= {State.CAPTURED, State.VOIDED}


async def test_an_order_whose_money_was_taken_is_not_cancelled(desk: Desk) -> None:
    """It is refunded instead."""
    payment = await desk.movements.capture(await held(desk), euros(1), None)
    with pytest.raises(NotAllowed):
        await desk.cashier.cancel_order(payment.order_id)


async def test_a_void_gives_up_what_captures_left(desk: Desk) -> None:
    """The payment stays captured; voided again nothing changes."""
    payment = await desk.movements.capture(await held(desk), euros(300), None)
    voided = await desk.cashier.void(payment)
    assert (voided.state, voided.captured, voided.voided) == (State.CAPTURED, euros(300), euros(700))
    assert await desk.cashier.void(voided) == voided
    with pytest.raises(TooMuch):
        await desk.movements.capture(voided, euros(1), None)


async def test_the_final_capture_gives_up_the_rest(desk: Desk) -> None:
    """Both are in the ledger, in one commit; sent again it stays so."""
    payment = await held(desk)
    await desk.movements.capture(payment, euros(300), "r1")
    for _ in range(2):
        last = await desk.movements.capture(payment, euros(200), "r2", final=True)
        assert [(entry.kind, entry.amount) for entry in last.ledger[1:]] == [
            ("CAPTURE", euros(300)),
            ("CAPTURE", euros(200)),
            ("VOID", euros(500)),
        ]


async def test_a_final_capture_waits_for_those_under_way(desk: Desk, gateway: Gateway) -> None:
    """It can't know yet what will be left."""
    payment = await held(desk)
    gateway.open.clear()
    capture = asyncio.create_task(desk.movements.capture(payment, euros(500), None))
    await gateway.waiting.wait()
    with pytest.raises(errors.Aborted):
        await desk.movements.capture(payment, euros(100), None, final=True)
    gateway.open.set()
    await capture


async def test_what_the_gateway_refuses_is_refused_the_same_when_asked_again(desk: Desk, gateway: Gateway) -> None:
    """Nothing moved; with another request id it is tried anew."""
    payment = await held(desk)
    gateway.refuses = "expired_card"
    for _ in range(2):
        with pytest.raises(GatewayRefused, match="expired_card"):
            await desk.movements.capture(payment, euros(300), "r1")
        gateway.refuses = ""
    assert (await desk.movements.capture(payment, euros(300), "r2")).captured == euros(300)


async def test_a_gateway_that_captures_once_is_not_asked_to_lose_the_rest(desk: Desk, gateway: Gateway) -> None:
    """The caller says that it is the last, or takes everything."""
    payment = await held(desk)
    gateway.captures_once = True
    once = desk_of(desk.store, Gateways({gateway.name: guarded(gateway)}, {"*": [gateway.name]}))
    with pytest.raises(CaptureNotFinal):
        await once.movements.capture(payment, euros(300), None)
    assert (await once.movements.capture(payment, euros(300), None, final=True)).voided == euros(700)


async def test_a_hold_that_ran_out_is_given_up_and_told(desk: Desk, database: Database, store: PaymentStore) -> None:
    """By the gateway's date; nothing can be captured then."""
    untouched, captured = await held(desk), await held(desk)
    await desk.movements.capture(captured, euros(300), None)
    await database.run("UPDATE payments SET expire_time = now()")
    await asyncio.gather(*(desk.leftovers.expire() for _ in range(3)))
    assert (await store.get(untouched.id)).state is State.EXPIRED
    rest = await store.get(captured.id)
    assert (rest.state, rest.captured, rest.voided) == (State.CAPTURED, euros(300), euros(700))
    for payment in (untouched, captured):
        async with database.autocommit() as connection:
            stored = await events.read(connection, payment.id, after=2, limit=10)
        assert stored[-1].type.endswith(".PaymentAuthorizationExpired")
    with pytest.raises(NotAllowed):
        await desk.movements.capture(untouched, euros(1), None)


async def test_a_leftover_that_can_not_be_settled_does_not_keep_the_others_from_it(
    desk: Desk, gateway: Gateway, store: PaymentStore
) -> None:
    """One gateway account in disorder is one payment's trouble."""
    payments = [await held(desk) for _ in range(3)]
    gateway.cut = True
    for payment in payments:
        with pytest.raises(errors.Unavailable):
            await desk.movements.capture(payment, euros(300), None)
    gateway.cut = False
    gateway.lost.add(payments[0].gateway_reference)
    await desk.leftovers.settle(older_than=timedelta(0))
    assert [(await store.get(payment.id)).captured for payment in payments] == [euros(0), euros(300), euros(300)]
    gateway.lost.clear()
    await desk.leftovers.settle(older_than=timedelta(0))
