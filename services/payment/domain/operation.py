"""Captures, refunds and releases on their way to the gateway: what may begin beside others, and what it does.

An operation is committed before the gateway is asked, and closed with the gateway's answer.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from services.common.money import Money
from services.payment.domain import transitions
from services.payment.domain.errors import CaptureNotFinal, NotAllowed, UnderWay
from services.payment.domain.payment import Change, Entry, Kind, Payment, State

RELEASES = (Kind.VOID, Kind.EXPIRY)


@dataclass(frozen=True, slots=True)
class Operation:
    """A movement that the gateway knows by the operation's id: repeated, it moves money once.

    `final`: what a capture leaves of the hold is given up with it. `refusal`: why the gateway won't, once it said so.
    """

    id: str
    payment_id: str
    kind: Kind
    amount: Money
    request_id: str | None
    create_time: datetime
    final: bool = False
    done: bool = False
    refusal: str = ""


@dataclass(frozen=True, slots=True)
class Open:
    """The open operations of a payment: what they may come to move, and whether one of them ends the hold."""

    captures: Money
    refunds: Money
    ending: bool


def capture(payment: Payment, under_way: Open, wanted: Money | None, *, final: bool, once: bool) -> tuple[Money, bool]:
    """Say how much to capture, and whether that is the last. `once`: the gateway takes money of a hold once."""
    transitions.require(payment, Kind.CAPTURE, State.AUTHORIZED, State.CAPTURED)
    if under_way.ending:
        raise NotAllowed(replace(payment, state=State.VOIDED), Kind.CAPTURE)
    left = payment.held - under_way.captures
    amount = wanted or left
    transitions.check_left(payment, Kind.CAPTURE, amount, left)
    if under_way.captures and (final or once):
        raise UnderWay(payment, Kind.CAPTURE)
    if once and not final and amount != left:
        raise CaptureNotFinal(payment, left)
    return amount, final or amount == payment.held


def refund(payment: Payment, under_way: Open, wanted: Money | None) -> Money:
    """Say how much to refund. Money that is being captured doesn't count yet: it may never come."""
    transitions.require(payment, Kind.REFUND, State.CAPTURED)
    left = payment.refundable - under_way.refunds
    amount = wanted or left
    transitions.check_left(payment, Kind.REFUND, amount, left)
    return amount


def release(payment: Payment, under_way: Open, kind: Kind) -> Money:
    """Say how much of the hold is given up: all that is left, once nothing else takes from it."""
    transitions.require(payment, kind, State.AUTHORIZED, State.CAPTURED)
    if under_way.captures or under_way.ending:
        raise UnderWay(payment, Kind.CAPTURE if under_way.captures else Kind.VOID)
    if not payment.held:
        raise NotAllowed(payment, kind)
    return payment.held


def effect(operation: Operation, payment: Payment, reference: str, now: datetime) -> Change | None:
    """What an operation that the gateway carried out makes of the payment; None when the hold had ended before."""
    entry = Entry(operation.kind, operation.amount, reference, operation.id)
    if operation.kind is Kind.REFUND:
        return Change(transitions.refunded(payment, operation.amount, now), (entry,))
    if operation.kind is Kind.CAPTURE:
        return _taken(operation, transitions.captured(payment, operation.amount, now), entry)
    if not payment.held:
        return None
    then = transitions.released(payment, operation.kind, now)
    return Change(then, (replace(entry, amount=payment.held),))


def reversal(operation: Operation, payment: Payment, under_way: Open, now: datetime) -> Change:
    """What it makes of the payment that a capture or refund failed after the gateway had accepted it.

    A refund under way may have given that money back already; what it did is booked first.
    """
    capture_failed = operation.kind is Kind.CAPTURE
    if capture_failed and payment.refundable - under_way.refunds < operation.amount <= payment.refundable:
        raise UnderWay(payment, Kind.REFUND)
    undo = transitions.capture_reversed if capture_failed else transitions.refund_reversed
    kind = Kind.CAPTURE_REVERSAL if capture_failed else Kind.REFUND_REVERSAL
    entry = Entry(kind, operation.amount, "", operation.id)
    return Change(undo(payment, operation.amount, now), (entry,))


def _taken(operation: Operation, payment: Payment, entry: Entry) -> Change:
    rest = payment.held
    if not operation.final or not rest:
        return Change(payment, (entry,))
    given_up = Entry(Kind.VOID, rest, "", operation.id)
    return Change(replace(payment, voided=payment.voided + rest), (entry, given_up))
