"""The money of one order as its ledger tells it.

Always `refunded <= captured` and `captured + voided <= authorized`; the database holds ledger and row to the same.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from services.common.money import Money


class State(StrEnum):
    """Where a payment stands; the names are those of the contract."""

    PENDING = "PENDING"
    AUTHORIZED = "AUTHORIZED"
    CAPTURED = "CAPTURED"
    VOIDED = "VOIDED"
    FAILED = "FAILED"
    EXPIRED = "EXPIRED"


class Kind(StrEnum):
    """How money moves; the names are those of the contract."""

    AUTHORIZATION = "AUTHORIZATION"
    CAPTURE = "CAPTURE"
    VOID = "VOID"
    REFUND = "REFUND"
    EXPIRY = "EXPIRY"
    CAPTURE_REVERSAL = "CAPTURE_REVERSAL"
    REFUND_REVERSAL = "REFUND_REVERSAL"
    CHARGEBACK = "CHARGEBACK"
    CHARGEBACK_REVERSAL = "CHARGEBACK_REVERSAL"


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One movement of money. `reference` is the gateway's; `operation_id` is what of ours caused it, if anything."""

    id: str
    kind: Kind
    amount: Money
    create_time: datetime
    reference: str = ""
    operation_id: str | None = None


@dataclass(frozen=True, slots=True)
class Payment:
    """The money of one order, as it stands after `version` events; the version is also its optimistic lock.

    `ending`: a PENDING payment that somebody has begun to end with nothing held, and as what. It can no longer become
    AUTHORIZED, whatever the gateway answers to whom.
    """

    id: str
    order_id: str
    customer_id: str | None
    state: State
    amount: Money
    authorized: Money
    captured: Money
    refunded: Money
    voided: Money
    charged_back: Money
    gateway: str
    version: int
    create_time: datetime
    update_time: datetime
    expire_time: datetime | None = None
    gateway_reference: str = ""
    failure_reason: str = ""
    ending: State | None = None
    ledger: tuple[LedgerEntry, ...] = field(default=())

    @property
    def held(self) -> Money:
        """What the gateway still holds for us to capture."""
        return self.authorized - self.captured - self.voided

    @property
    def refundable(self) -> Money:
        """What was taken and not given back."""
        return self.captured - self.refunded


@dataclass(frozen=True, slots=True)
class Entry:
    """A movement to be written into the ledger."""

    kind: Kind
    amount: Money
    reference: str = ""
    operation_id: str | None = None


class DisputeState(StrEnum):
    """Where a dispute stands; the names are those of the contract. A later one is never followed by an earlier."""

    OPEN = "OPEN"
    WON = "WON"
    LOST = "LOST"

    @property
    def rank(self) -> int:
        """How far it has come. A bank may take a won dispute up again, and then it is lost."""
        return ("OPEN", "WON", "LOST").index(self)


@dataclass(frozen=True, slots=True)
class Dispute:
    """A payer's complaint at their bank; `reference` is the gateway's id of it."""

    id: str
    payment_id: str
    reference: str
    state: DisputeState
    amount: Money
    reason: str
    create_time: datetime
    update_time: datetime


@dataclass(frozen=True, slots=True)
class Change:
    """The next version of a payment and the movements, or the dispute, that made it so."""

    payment: Payment
    entries: tuple[Entry, ...] = ()
    dispute: Dispute | None = None
