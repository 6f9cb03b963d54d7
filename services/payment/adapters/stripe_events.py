"""Stripe's events as facts."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from services.common.money import Money
from services.payment.domain.facts import Authorized, Disputed, Fact, HoldEnded, Moved, NotAuthorized, Subject
from services.payment.domain.payment import DisputeState, Kind

Object = Mapping[str, Any]


def fact_of(event_type: str, about: Object) -> Fact | None:
    """Read an event; None for one that is nothing to us. Raises KeyError, TypeError and ValueError."""
    read = _FACTS.get(event_type)
    return read(about) if read else None


def _intent(about: Object) -> Subject:
    return Subject((about.get("metadata") or {}).get("payment_id", ""), about["id"])


def _failed(about: Object) -> NotAuthorized:
    code = (about.get("last_payment_error") or {}).get("code") or "card_declined"
    return NotAuthorized(_intent(about), code.upper())


def _canceled(about: Object) -> Fact:
    """A PaymentIntent that never held anything (it was made to block a late request) tells nothing but that."""
    return HoldEnded(_intent(about), expired=about.get("cancellation_reason") == "automatic")


def _refund(about: Object) -> Fact | None:
    operation_id = (about.get("metadata") or {}).get("operation_id")
    if not operation_id:
        return None
    failed = about["status"] in {"failed", "canceled"}
    if not failed and about["status"] != "succeeded":
        return None
    return Moved(operation_id, about["id"], (about.get("failure_reason") or "failed") if failed else "")


def _dispute(funds: Kind | None) -> Callable[[Object], Disputed]:
    def read(about: Object) -> Disputed:
        states = {"won": DisputeState.WON, "lost": DisputeState.LOST}
        amount = Money(about["currency"].upper(), about["amount"])
        state = states.get(about["status"], DisputeState.OPEN)
        subject = Subject("", about["payment_intent"])
        return Disputed(subject, about["id"], state, amount, about.get("reason") or "", funds, about["id"])

    return read


_FACTS: Mapping[str, Callable[[Object], Fact | None]] = MappingProxyType(
    {
        "payment_intent.amount_capturable_updated": lambda about: Authorized(_intent(about), None),
        "payment_intent.payment_failed": _failed,
        "payment_intent.canceled": _canceled,
        "refund.updated": _refund,
        "refund.failed": _refund,
        "charge.dispute.created": _dispute(None),
        "charge.dispute.updated": _dispute(None),
        "charge.dispute.closed": _dispute(None),
        "charge.dispute.funds_withdrawn": _dispute(Kind.CHARGEBACK),
        "charge.dispute.funds_reinstated": _dispute(Kind.CHARGEBACK_REVERSAL),
    }
)
