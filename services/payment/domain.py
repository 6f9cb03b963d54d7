"""The money of one order: what may move, by how much, and what each movement makes of the payment. Pure.

Always `refunded <= captured <= authorized`; the database has the same rule as a constraint.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from mesh import errors
from services.common.money import Money

NO_CURRENCY = "XXX"
"""ISO 4217 for "no currency": of a payment that was cancelled before anybody asked for money."""


class State(StrEnum):
    """Where a payment stands; the names are those of the contract."""

    PENDING = "PENDING"
    AUTHORIZED = "AUTHORIZED"
    CAPTURED = "CAPTURED"
    VOIDED = "VOIDED"
    FAILED = "FAILED"


class Kind(StrEnum):
    """How money moves; the names are those of the contract."""

    AUTHORIZATION = "AUTHORIZATION"
    CAPTURE = "CAPTURE"
    VOID = "VOID"
    REFUND = "REFUND"


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One movement of money."""

    id: str
    kind: Kind
    amount: Money
    create_time: datetime


@dataclass(frozen=True, slots=True)
class Payment:
    """The money of one order, as it stands after `version` events; the version is also its optimistic lock."""

    id: str
    order_id: str
    customer_id: str | None
    state: State
    amount: Money
    authorized: Money
    captured: Money
    refunded: Money
    gateway: str
    version: int
    create_time: datetime
    update_time: datetime
    gateway_reference: str = ""
    failure_reason: str = ""
    ledger: tuple[LedgerEntry, ...] = ()


@dataclass(frozen=True, slots=True)
class Operation:
    """A capture, refund or void on its way to the gateway, which knows it by a key: repeated, it moves money once."""

    id: str
    payment_id: str
    kind: Kind
    amount: Money
    request_id: str | None


class PaymentNotFound(errors.NotFound):
    """There is no such payment, or it is somebody else's, which callers must not be able to tell apart."""

    def __init__(self, payment_id: str) -> None:
        super().__init__(
            f"there is no payment {payment_id}", reason="PAYMENT_NOT_FOUND", metadata={"payment_id": payment_id}
        )


class PaymentChanged(errors.Aborted):
    """Somebody else changed the payment meanwhile: ask again."""

    def __init__(self, payment_id: str) -> None:
        super().__init__(
            f"payment {payment_id} has changed meanwhile; ask again",
            reason="PAYMENT_CHANGED",
            metadata={"payment_id": payment_id},
        )


class AmountDiffers(errors.AlreadyExists):
    """The order has a payment of another amount."""

    def __init__(self, payment: Payment) -> None:
        super().__init__(
            f"order {payment.order_id} has a payment of another amount",
            reason="PAYMENT_AMOUNT_DIFFERS",
            metadata={"payment_id": payment.id, "order_id": payment.order_id},
        )


class PaymentCancelled(errors.FailedPrecondition):
    """The order's payment was cancelled before this request for money came."""

    def __init__(self, order_id: str) -> None:
        super().__init__(
            f"the payment of order {order_id} was cancelled",
            reason="PAYMENT_CANCELLED",
            metadata={"order_id": order_id},
        )


class NotAllowed(errors.FailedPrecondition):
    """The payment's state does not allow the movement."""

    def __init__(self, payment: Payment, kind: Kind) -> None:
        super().__init__(
            f"payment {payment.id} is {payment.state}, which allows no {kind.lower()}",
            reason=f"{kind}_NOT_ALLOWED",
            metadata={"payment_id": payment.id, "state": payment.state},
        )


class TooMuch(errors.FailedPrecondition):
    """The movement is more than what is left."""

    def __init__(self, payment: Payment, kind: Kind, left: Money) -> None:
        super().__init__(
            f"payment {payment.id} has {left} left for a {kind.lower()}",
            reason=f"{kind}_TOO_MUCH",
            metadata={"payment_id": payment.id, "left": str(left.minor_units), "currency_code": left.currency_code},
            violations=[errors.FieldViolation("amount", f"at most {left}", f"{kind}_TOO_MUCH")],
        )


class CurrencyDiffers(errors.InvalidArgument):
    """The amount is in another currency than the payment."""

    def __init__(self, payment: Payment) -> None:
        super().__init__(
            f"payment {payment.id} is in {payment.amount.currency_code}",
            reason="CURRENCY_DIFFERS",
            violations=[errors.FieldViolation("amount.currency_code", f"must be {payment.amount.currency_code}")],
        )


class RequestIdReused(errors.AlreadyExists):
    """The request id was used for a movement of another amount."""

    def __init__(self, request_id: str) -> None:
        super().__init__(
            "this request id was used for another amount; use a new one",
            reason="IDEMPOTENCY_KEY_REUSED",
            violations=[
                errors.FieldViolation("request_id", f"{request_id!r} was used before", "IDEMPOTENCY_KEY_REUSED")
            ],
        )


def begin(  # noqa: PLR0913, PLR0917 - what is known before the gateway is asked
    payment_id: str, order_id: str, customer_id: str, amount: Money, gateway: str, now: datetime
) -> Payment:
    """A payment whose gateway is about to be asked."""
    none = Money(amount.currency_code, 0)
    return Payment(payment_id, order_id, customer_id, State.PENDING, amount, none, none, none, gateway, 1, now, now)


def cancelled_before_begun(payment_id: str, order_id: str, gateway: str, now: datetime) -> Payment:
    """A payment that stands in the way of a request for money which must not come any more."""
    none = Money(NO_CURRENCY, 0)
    return Payment(payment_id, order_id, None, State.VOIDED, none, none, none, none, gateway, 1, now, now)


def authorized(payment: Payment, reference: str, now: datetime) -> Payment:
    """The gateway holds the amount."""
    _require(payment, Kind.AUTHORIZATION, State.PENDING)
    return replace(_moved(payment, now), state=State.AUTHORIZED, authorized=payment.amount, gateway_reference=reference)


def failed(payment: Payment, reason: str, now: datetime) -> Payment:
    """The gateway holds nothing and never will for this payment."""
    _require(payment, Kind.AUTHORIZATION, State.PENDING)
    return replace(_moved(payment, now), state=State.FAILED, failure_reason=reason)


def voided(payment: Payment, now: datetime) -> Payment:
    """The gateway no longer holds anything."""
    check_void(payment)
    return replace(_moved(payment, now), state=State.VOIDED)


def captured(payment: Payment, amount: Money, now: datetime) -> Payment:
    """The gateway took the amount."""
    check_capture(payment, amount)
    return replace(_moved(payment, now), state=State.CAPTURED, captured=payment.captured + amount)


def refunded(payment: Payment, amount: Money, now: datetime) -> Payment:
    """The gateway gave the amount back."""
    check_refund(payment, amount)
    return replace(_moved(payment, now), refunded=payment.refunded + amount)


def check_capture(payment: Payment, amount: Money) -> None:
    """Raise what forbids taking the amount, if anything does."""
    _require(payment, Kind.CAPTURE, State.AUTHORIZED, State.CAPTURED)
    _check_left(payment, Kind.CAPTURE, amount)


def check_refund(payment: Payment, amount: Money) -> None:
    """Raise what forbids giving the amount back, if anything does."""
    _require(payment, Kind.REFUND, State.CAPTURED)
    _check_left(payment, Kind.REFUND, amount)


def check_void(payment: Payment) -> None:
    """Raise what forbids giving up the hold, if anything does."""
    _require(payment, Kind.VOID, State.PENDING, State.AUTHORIZED)


@dataclass(frozen=True, slots=True)
class UnderWay:
    """The open operations of a payment: what they may come to move, and whether one of them is a void."""

    captures: Money
    refunds: Money
    void: bool


def beside(payment: Payment, under_way: UnderWay, kind: Kind) -> Payment:
    """What is left of a payment for an operation of that kind, should all others come about that take from it.

    What others would add doesn't count: money that is being captured may never come, so it can't be refunded yet.
    """
    if kind is Kind.REFUND:
        return replace(payment, refunded=payment.refunded + under_way.refunds)
    if under_way.void:
        return replace(payment, state=State.VOIDED)
    if under_way.captures:
        return replace(payment, state=State.CAPTURED, captured=payment.captured + under_way.captures)
    return payment


def effect(operation: Operation, payment: Payment, now: datetime) -> tuple[Payment, tuple[Kind, Money] | None] | None:
    """What an operation that the gateway carried out makes of the payment, and the movement to note; None if nothing.

    A payment that was declined while its void was under way stays as it is.
    """
    if operation.kind is Kind.CAPTURE:
        return captured(payment, operation.amount, now), (operation.kind, operation.amount)
    if operation.kind is Kind.REFUND:
        return refunded(payment, operation.amount, now), (operation.kind, operation.amount)
    if payment.state is State.FAILED:
        return None
    held = payment.state is State.AUTHORIZED
    return voided(payment, now), (Kind.VOID, payment.authorized) if held else None


def left(payment: Payment, kind: Kind) -> Money:
    """How much can still be captured or refunded."""
    if kind is Kind.CAPTURE:
        return payment.authorized - payment.captured
    return payment.captured - payment.refunded


def _check_left(payment: Payment, kind: Kind, amount: Money) -> None:
    if amount.currency_code != payment.amount.currency_code:
        raise CurrencyDiffers(payment)
    if amount > left(payment, kind) or amount.minor_units <= 0:
        raise TooMuch(payment, kind, left(payment, kind))


def _require(payment: Payment, kind: Kind, *states: State) -> None:
    if payment.state not in states:
        raise NotAllowed(payment, kind)


def _moved(payment: Payment, now: datetime) -> Payment:
    return replace(payment, version=payment.version + 1, update_time=max(now, payment.update_time))
