"""What a gateway tells by itself, in terms that all of them share.

A fact may come late, early, twice or out of order; what it does to a payment depends on how that stands, not on when
the fact came.
"""

from dataclasses import dataclass
from datetime import datetime

from services.common.money import Money
from services.payment.domain.payment import DisputeState, Kind


@dataclass(frozen=True, slots=True)
class Subject:
    """Which payment: by our id, by the gateway's reference, or by both."""

    payment_id: str = ""
    reference: str = ""


@dataclass(frozen=True, slots=True)
class Authorized:
    """The gateway holds the amount."""

    subject: Subject
    expire_time: datetime | None


@dataclass(frozen=True, slots=True)
class NotAuthorized:
    """The gateway holds nothing and never will for this request."""

    subject: Subject
    reason: str


@dataclass(frozen=True, slots=True)
class HoldEnded:
    """Nothing is held any more: cancelled, or run out."""

    subject: Subject
    expired: bool


@dataclass(frozen=True, slots=True)
class Moved:
    """A capture or refund of ours was carried out, or failed for good, perhaps after it had been accepted."""

    operation_id: str
    reference: str
    failure: str = ""


@dataclass(frozen=True, slots=True)
class Disputed:
    """A dispute began, went on or was decided; `funds`: money moved by it, under the gateway's `movement` reference."""

    subject: Subject
    reference: str
    state: DisputeState
    amount: Money
    reason: str
    funds: Kind | None = None
    movement: str = ""


Fact = Authorized | NotAuthorized | HoldEnded | Moved | Disputed


class TooEarlyError(Exception):
    """What the fact is about isn't known yet; `reason` is a constant such as PAYMENT_UNKNOWN."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
