"""What is asked of an order after it was confirmed: shipments, cancelled lines, returns and refunds. Values only.

Each part has a state of its own; the names of the states are those of the contract.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from services.common.money import Money


class ShipmentState(StrEnum):
    """Where a shipment stands."""

    PENDING = "PENDING"
    SHIPPED = "SHIPPED"
    DELIVERED = "DELIVERED"
    FAILED = "FAILED"


class ReturnState(StrEnum):
    """Where a return stands."""

    REQUESTED = "REQUESTED"
    APPROVED = "APPROVED"
    REJECTED = "REJECTED"
    RECEIVED = "RECEIVED"
    COMPLETED = "COMPLETED"


class Progress(StrEnum):
    """Where a cancellation of lines or a refund stands."""

    PENDING = "PENDING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why something could not be had: a constant for programs, a sentence for people."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Units:
    """So many units of a SKU."""

    sku: str
    quantity: int


@dataclass(frozen=True, slots=True)
class ShipmentLine:
    """Units of a SKU in a shipment; `amount` is their price and tax, without shipping."""

    sku: str
    quantity: int
    amount: Money
    returned: int = 0


@dataclass(frozen=True, slots=True)
class Shipment:
    """A parcel and its share of the order's total. `final`: nothing was left to ship after it."""

    id: str
    state: ShipmentState
    lines: tuple[ShipmentLine, ...]
    carrier: str
    tracking_number: str
    amount: Money
    final: bool
    create_time: datetime
    failure: Rejection | None = None
    ship_time: datetime | None = None
    deliver_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class LineCancellation:
    """Units that are not to be shipped, and their share of the order's total. `final`: nothing was left after it."""

    id: str
    state: Progress
    lines: tuple[Units, ...]
    reason: str
    amount: Money
    final: bool
    create_time: datetime
    complete_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class ReturnLine:
    """Units of a SKU that are to come back, how many did, and how many of those can be sold again."""

    sku: str
    quantity: int
    received: int = 0
    restocked: int = 0


@dataclass(frozen=True, slots=True)
class Return:
    """Units of one shipment that come back."""

    id: str
    shipment_id: str
    state: ReturnState
    lines: tuple[ReturnLine, ...]
    reason: str
    create_time: datetime
    update_time: datetime
    note: str = ""
    refund_id: str = ""


@dataclass(frozen=True, slots=True)
class Refund:
    """Money that is given back."""

    id: str
    state: Progress
    amount: Money
    reason: str
    create_time: datetime
    return_id: str = ""
    failure: Rejection | None = None
    complete_time: datetime | None = None


Part = Shipment | LineCancellation | Return | Refund
