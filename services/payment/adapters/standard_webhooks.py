"""The sandbox's notifications, signed as Standard Webhooks (standardwebhooks.com) has it.

webhook-id: msg_1
webhook-timestamp: 1777896000
webhook-signature: v1,<base64 of HMAC-SHA256 over `id.timestamp.body`>
{"type": "refund.failed", "data": {"operation_id": "…", "reason": "account_closed"}}
"""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from services.common.money import Money
from services.payment.adapters.gateway import Delivery, MalformedError, SignatureInvalidError
from services.payment.domain.facts import Authorized, Disputed, Fact, HoldEnded, Moved, NotAuthorized, Subject
from services.payment.domain.payment import DisputeState, Kind

TOLERANCE = timedelta(minutes=5)
SECRET_PREFIX = "whsec_"  # noqa: S105 - the mark of a secret, not one

Data = Mapping[str, Any]


def signature(secret: str, message_id: str, timestamp: str, body: bytes) -> str:
    """Sign a delivery: the value of `webhook-signature`."""
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()


class SandboxNotifications:
    """Notifications as whoever tests sends them."""

    def __init__(self, secret: str) -> None:
        """`secret`: whsec_ and base64."""
        self._secret = secret

    def verified(self, headers: Mapping[str, str], body: bytes, now: datetime) -> Sequence[Delivery]:
        """Check signature and age."""
        message_id, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
        wanted = signature(self._secret, message_id, timestamp, body)
        given = headers.get("webhook-signature", "").split(" ")
        if not message_id or not any(hmac.compare_digest(each.encode(), wanted.encode()) for each in given):
            raise SignatureInvalidError("the signature is missing or wrong")
        if not timestamp.isdecimal() or abs(now.timestamp() - int(timestamp)) > TOLERANCE.total_seconds():
            raise SignatureInvalidError("the signature is too old")
        return [Delivery(message_id, str(_parsed(body).get("type", "")), body)]

    def fact(self, content: bytes) -> Fact | None:
        """Read what it tells."""
        event = _parsed(content)
        read = _FACTS.get(str(event.get("type", "")))
        if read is None:
            return None
        try:
            return read(event["data"])
        except (KeyError, TypeError, ValueError) as fault:
            raise MalformedError(f"{event.get('type')}: {fault!r}") from fault


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        event = json.loads(body)
    except (ValueError, binascii.Error) as fault:
        raise MalformedError(str(fault)) from fault
    if not isinstance(event, dict):
        raise MalformedError("not an object")
    return event


def _subject(data: Data) -> Subject:
    return Subject(str(data.get("payment_id", "")), str(data.get("reference", "")))


def _dispute(state: DisputeState, funds: Kind | None) -> Callable[[Data], Disputed]:
    def read(data: Data) -> Disputed:
        amount = Money(data["currency_code"], int(data["amount"]))
        return Disputed(
            _subject(data), data["dispute_id"], state, amount, data.get("reason", ""), funds, data["dispute_id"]
        )

    return read


_FACTS: Mapping[str, Callable[[Data], Fact]] = MappingProxyType(
    {
        "authorization.approved": lambda data: Authorized(_subject(data), None),
        "authorization.declined": lambda data: NotAuthorized(_subject(data), data["reason"]),
        "authorization.expired": lambda data: HoldEnded(_subject(data), expired=True),
        "authorization.cancelled": lambda data: HoldEnded(_subject(data), expired=False),
        "capture.succeeded": lambda data: Moved(data["operation_id"], data["operation_id"]),
        "capture.failed": lambda data: Moved(data["operation_id"], "", data["reason"]),
        "refund.succeeded": lambda data: Moved(data["operation_id"], data["operation_id"]),
        "refund.failed": lambda data: Moved(data["operation_id"], "", data["reason"]),
        "dispute.opened": _dispute(DisputeState.OPEN, None),
        "dispute.funds_withdrawn": _dispute(DisputeState.OPEN, Kind.CHARGEBACK),
        "dispute.won": _dispute(DisputeState.WON, Kind.CHARGEBACK_REVERSAL),
        "dispute.lost": _dispute(DisputeState.LOST, None),
    }
)
