"""What the gateway's answers make of a payment."""

from dataclasses import replace
from datetime import datetime

from services.common.money import NO_CURRENCY, Money
from services.payment.domain.errors import CurrencyDiffers, NotAllowed, TooMuch
from services.payment.domain.payment import Change, Dispute, Entry, Kind, Payment, State

FORGOTTEN = "GATEWAY_TIMEOUT"
"""Why a payment failed whose request had no answer and was cancelled at the gateway."""


def begin(  # noqa: PLR0913, PLR0917 - what is known before the gateway is asked
    payment_id: str, order_id: str, customer_id: str, amount: Money, gateway: str, now: datetime
) -> Payment:
    """A payment whose gateway is about to be asked."""
    none = Money(amount.currency_code, 0)
    return Payment(
        payment_id, order_id, customer_id, State.PENDING, amount, none, none, none, none, none, gateway, 1, now, now
    )


def cancelled_before_begun(payment_id: str, order_id: str, now: datetime) -> Payment:
    """A payment that stands in the way of a request for money which must not come any more; no gateway knows it."""
    none = Money(NO_CURRENCY, 0)
    return Payment(payment_id, order_id, None, State.VOIDED, none, none, none, none, none, none, "", 1, now, now)


def authorized(payment: Payment, reference: str, expire_time: datetime | None, now: datetime) -> Payment:
    """The gateway holds the amount until `expire_time`."""
    require(payment, Kind.AUTHORIZATION, State.PENDING)
    return replace(
        moved(payment, now),
        state=State.AUTHORIZED,
        authorized=payment.amount,
        gateway_reference=reference,
        expire_time=expire_time,
    )


def failed(payment: Payment, reason: str, now: datetime) -> Payment:
    """The gateway holds nothing and never will for this payment."""
    require(payment, Kind.AUTHORIZATION, State.PENDING)
    return replace(moved(payment, now), state=State.FAILED, failure_reason=reason)


def ended(payment: Payment, now: datetime) -> Payment:
    """The gateway holds nothing and never will: a PENDING payment came to the end that somebody had begun."""
    if payment.ending is State.VOIDED:
        require(payment, Kind.VOID, State.PENDING)
        return replace(moved(payment, now), state=State.VOIDED)
    return failed(payment, FORGOTTEN, now)


def captured(payment: Payment, amount: Money, now: datetime) -> Payment:
    """The gateway took the amount."""
    require(payment, Kind.CAPTURE, State.AUTHORIZED, State.CAPTURED)
    check_left(payment, Kind.CAPTURE, amount, payment.held)
    return replace(moved(payment, now), state=State.CAPTURED, captured=payment.captured + amount)


def refunded(payment: Payment, amount: Money, now: datetime) -> Payment:
    """The gateway gave the amount back."""
    require(payment, Kind.REFUND, State.CAPTURED)
    check_left(payment, Kind.REFUND, amount, payment.refundable)
    return replace(moved(payment, now), refunded=payment.refunded + amount)


def released(payment: Payment, kind: Kind, now: datetime) -> Payment:
    """The gateway holds nothing any more: all that was left is given up (VOID) or ran out (EXPIRY)."""
    require(payment, kind, State.AUTHORIZED, State.CAPTURED)
    untouched = State.VOIDED if kind is Kind.VOID else State.EXPIRED
    return replace(
        moved(payment, now),
        state=State.CAPTURED if payment.captured else untouched,
        voided=payment.authorized - payment.captured,
    )


def capture_reversed(payment: Payment, amount: Money, now: datetime) -> Payment:
    """A capture that had been accepted failed: the gateway holds the amount again, or nobody has it."""
    require(payment, Kind.CAPTURE_REVERSAL, State.CAPTURED)
    check_left(payment, Kind.CAPTURE_REVERSAL, amount, payment.refundable)
    left = payment.captured - amount
    return replace(moved(payment, now), state=State.CAPTURED if left else State.AUTHORIZED, captured=left)


def refund_reversed(payment: Payment, amount: Money, now: datetime) -> Payment:
    """A refund that had been accepted failed: the money is ours again."""
    require(payment, Kind.REFUND_REVERSAL, State.CAPTURED)
    check_left(payment, Kind.REFUND_REVERSAL, amount, payment.refunded)
    return replace(moved(payment, now), refunded=payment.refunded - amount)


def disputed(payment: Payment, dispute: Dispute, funds: tuple[Kind, str] | None, now: datetime) -> Change:
    """A dispute came or went on; `funds` names how money moved by it, and the gateway's reference of that."""
    if funds is None:
        return Change(moved(payment, now), dispute=dispute)
    kind, reference = funds
    taken = dispute.amount if kind is Kind.CHARGEBACK else Money(dispute.amount.currency_code, 0) - dispute.amount
    then = replace(moved(payment, now), charged_back=payment.charged_back + taken)
    return Change(then, (Entry(kind, dispute.amount, reference),), dispute)


def check_left(payment: Payment, kind: Kind, amount: Money, left: Money) -> None:
    """Raise unless the amount is positive, of the payment's currency, and not more than what is left."""
    if amount.currency_code != payment.amount.currency_code:
        raise CurrencyDiffers(payment)
    if amount > left or amount.minor_units <= 0:
        raise TooMuch(payment, kind, left)


def require(payment: Payment, kind: Kind, *states: State) -> None:
    """Raise unless the payment is in one of the states."""
    if payment.state not in states:
        raise NotAllowed(payment, kind)


def moved(payment: Payment, now: datetime) -> Payment:
    """The next version."""
    return replace(payment, version=payment.version + 1, update_time=max(now, payment.update_time))
