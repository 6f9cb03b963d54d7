"""Adyen's notifications as facts (event codes of the standard webhook)."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from services.common.money import Money
from services.payment.domain.facts import Authorized, Disputed, Fact, HoldEnded, Moved, NotAuthorized, Subject
from services.payment.domain.payment import DisputeState, Kind

Item = Mapping[str, Any]

_FAILED_LATER = frozenset({"CAPTURE_FAILED", "REFUND_FAILED", "REFUNDED_REVERSED"})
_DISPUTES: Mapping[str, tuple[DisputeState, Kind | None]] = MappingProxyType(
    {
        "NOTIFICATION_OF_CHARGEBACK": (DisputeState.OPEN, None),
        "CHARGEBACK": (DisputeState.OPEN, Kind.CHARGEBACK),
        "CHARGEBACK_REVERSED": (DisputeState.WON, Kind.CHARGEBACK_REVERSAL),
        "SECOND_CHARGEBACK": (DisputeState.LOST, Kind.CHARGEBACK),
    }
)


def fact_of(item: Item) -> Fact | None:
    """Read an item; None for one that is nothing to us. Raises KeyError, TypeError and ValueError."""
    code = item["eventCode"]
    succeeded = str(item["success"]).lower() == "true"
    if code == "AUTHORISATION":
        return _authorisation(item, succeeded=succeeded)
    if code in {"CAPTURE", "REFUND"} or code in _FAILED_LATER:
        failed = code in _FAILED_LATER or not succeeded
        return Moved(item["merchantReference"], item["pspReference"], (item.get("reason") or code) if failed else "")
    if code in {"CANCELLATION", "TECHNICAL_CANCEL", "EXPIRE"}:
        payment = Subject("", item["originalReference"]) if item.get("originalReference") else Subject(_ours(item))
        return HoldEnded(payment, expired=code == "EXPIRE") if succeeded else None
    return _dispute(item, *_DISPUTES[code]) if code in _DISPUTES else None


def _authorisation(item: Item, *, succeeded: bool) -> Fact:
    subject = Subject(_ours(item), item["pspReference"])
    reason = str(item.get("reason") or "CARD_DECLINED").upper().replace(" ", "_")
    return Authorized(subject, None) if succeeded else NotAuthorized(subject, reason)


def _dispute(item: Item, state: DisputeState, funds: Kind | None) -> Disputed:
    """All notifications of a payment's dispute tell of one and the same; each movement has a reference of its own."""
    amount = Money(item["amount"]["currency"], item["amount"]["value"])
    payment = item["originalReference"]
    subject = Subject("", payment)
    return Disputed(subject, payment, state, amount, item.get("reason") or "", funds, item["pspReference"])


def _ours(item: Item) -> str:
    return str(item["merchantReference"])
