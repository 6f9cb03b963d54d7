"""An order as it stands: what was ordered, what became of it, and what that makes of its money. Values only.

What may happen to an order is in `transitions`; how each thing happens is in `placing`, `fulfilment`, `returns` and
`refunds`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from services.common.money import Money
from services.order.domain.parts import (
    LineCancellation,
    Part,
    Progress,
    Refund,
    Rejection,
    Return,
    ReturnState,
    Shipment,
    ShipmentState,
)


class State(StrEnum):
    """Where an order stands; the names are those of the contract."""

    PENDING = "PENDING"
    CONFIRMED = "CONFIRMED"
    PARTIALLY_SHIPPED = "PARTIALLY_SHIPPED"
    SHIPPED = "SHIPPED"
    DELIVERED = "DELIVERED"
    REJECTED = "REJECTED"
    CANCELLING = "CANCELLING"
    CANCELLED = "CANCELLED"


UNSETTLED = frozenset({State.PENDING, State.CANCELLING})
"""States an order must not stay in: somebody is driving it on, or has to."""


@dataclass(frozen=True, slots=True)
class Line:
    """Units of one SKU, with name and price as they were when the order was placed. `tax`: None if none is computed."""

    sku: str
    quantity: int
    product_id: str
    name: str
    unit_price: Money
    tax: Money | None = None
    cancelled: int = 0
    shipped: int = 0
    returned: int = 0

    @property
    def amount(self) -> Money:
        """Price of the line."""
        return self.unit_price * self.quantity

    @property
    def left(self) -> int:
        """Units that are still to be shipped."""
        return self.quantity - self.cancelled - self.shipped


@dataclass(frozen=True, slots=True)
class Charges:
    """What an order costs beside its lines, and whether prices, of shipping too, include the tax."""

    shipping: Money
    shipping_tax: Money
    tax_included: bool

    @classmethod
    def none(cls, currency_code: str) -> "Charges":
        """Shipping for nothing and no tax."""
        return cls(Money(currency_code, 0), Money(currency_code, 0), tax_included=False)


@dataclass(frozen=True, slots=True)
class Change:
    """What made an order what it is: the name of the transition, and the id of the part it is about, if of one."""

    transition: str
    part_id: str = ""


@dataclass(frozen=True, slots=True)
class Order:
    """An order as it stands after `version` events; the version is also its optimistic lock."""

    id: str
    customer_id: str
    state: State
    lines: tuple[Line, ...]
    charges: Charges
    total: Money
    shipping_address: Mapping[str, object]
    version: int
    create_time: datetime
    update_time: datetime
    payment_id: str | None = None
    reservation_id: str | None = None
    rejection: Rejection | None = None
    cancel_reason: str = ""
    shipments: tuple[Shipment, ...] = ()
    line_cancellations: tuple[LineCancellation, ...] = ()
    returns: tuple[Return, ...] = ()
    refunds: tuple[Refund, ...] = ()
    change: Change | None = field(default=None, compare=False)
    """The last change; None for an order that was read."""

    @property
    def etag(self) -> str:
        """What a caller compares to know whether the order changed."""
        return str(self.version)

    @property
    def settled(self) -> bool:
        """Whether the order has come to an outcome that only a new request changes."""
        return self.state not in UNSETTLED and self.under_way is None

    @property
    def under_way(self) -> Part | None:
        """The part of the order that somebody is carrying out, or has to; there is one request at most at a time."""
        return next((part for part in self.parts if _is_under_way(part)), None)

    @property
    def parts(self) -> tuple[Part, ...]:
        """All that was asked of the order after it was confirmed; a return before the refund it leads to."""
        return (*self.shipments, *self.line_cancellations, *self.returns, *self.refunds)

    @property
    def items(self) -> Money:
        """What all lines cost together."""
        return self.sum(line.amount for line in self.lines)

    @property
    def tax(self) -> Money:
        """The tax on lines and shipping together."""
        return self.charges.shipping_tax + self.sum(line.tax for line in self.lines if line.tax)

    @property
    def left(self) -> int:
        """Units that are still to be shipped."""
        return sum(line.left for line in self.lines)

    @property
    def captured(self) -> Money:
        """What was taken of the customer's money."""
        left = (ShipmentState.SHIPPED, ShipmentState.DELIVERED)
        return self.sum(shipment.amount for shipment in self.shipments if shipment.state in left)

    @property
    def refunded(self) -> Money:
        """What was given back of it."""
        return self.sum(refund.amount for refund in self.refunds if refund.state is Progress.COMPLETED)

    def sum(self, amounts: Iterable[Money]) -> Money:
        """Add amounts up, none too."""
        return sum(amounts, Money(self.total.currency_code, 0))


def _is_under_way(part: Part) -> bool:
    return part.state in {ShipmentState.PENDING, Progress.PENDING, ReturnState.RECEIVED}
