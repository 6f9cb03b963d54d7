"""Warehouses and levels of stock, and what follows from each change of one."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum


class MovementKind(StrEnum):
    """Why units came or went; the names are those of the contract."""

    RECEIPT = "RECEIPT"
    SHIPMENT = "SHIPMENT"
    ADJUSTMENT = "ADJUSTMENT"
    TRANSFER_OUT = "TRANSFER_OUT"
    TRANSFER_IN = "TRANSFER_IN"
    COUNT = "COUNT"
    RETURN = "RETURN"
    SHIPMENT_REVERSAL = "SHIPMENT_REVERSAL"


@dataclass(frozen=True, slots=True)
class Location:
    """A point on the earth, in degrees (WGS84)."""

    latitude: float
    longitude: float


@dataclass(frozen=True, slots=True)
class Warehouse:
    """A place that holds stock. Lower priorities are used first."""

    id: str
    code: str
    display_name: str
    priority: int
    zone: str = ""
    region_codes: tuple[str, ...] = ()
    location: Location | None = None


@dataclass(frozen=True, slots=True)
class Policy:
    """How much a warehouse keeps back of a SKU, promises in advance, and calls little (None: never)."""

    safety_stock: int = 0
    backorder_limit: int = 0
    low_stock_threshold: int | None = None


@dataclass(frozen=True, slots=True)
class Level:
    """Units of one SKU in one warehouse. `backordered` ones are promised and still to arrive.

    Never is there something to give while somebody waits for it, and never is more held than there is: the database
    has both as constraints.
    """

    sku: str
    warehouse_id: str
    warehouse_code: str
    priority: int
    on_hand: int
    reserved: int
    backordered: int = 0
    safety_stock: int = 0
    backorder_limit: int = 0
    low_stock_threshold: int | None = None
    region_codes: tuple[str, ...] | list[str] = ()
    latitude: float | None = None
    longitude: float | None = None

    @property
    def available(self) -> int:
        """Units that can be sold now; negative when more is held than the safety stock allows."""
        return self.on_hand - self.reserved - self.safety_stock

    @property
    def backorderable(self) -> int:
        """Units that can be promised although they are not there."""
        return max(self.backorder_limit - self.backordered, 0)

    @property
    def low(self) -> bool:
        """Whether so little is available that somebody wants to know."""
        return self.low_stock_threshold is not None and self.available <= self.low_stock_threshold

    @property
    def policy(self) -> Policy:
        """What the installation wants of it."""
        return Policy(self.safety_stock, self.backorder_limit, self.low_stock_threshold)


@dataclass(frozen=True, slots=True)
class Change:
    """A level before and after. `filled` units that somebody waited for are held now; negative: the other way round."""

    before: Level
    after: Level
    filled: int = 0


def change(
    level: Level, *, on_hand: int = 0, reserved: int = 0, backordered: int = 0, policy: Policy | None = None
) -> Change:
    """Add to a level's numbers, then let what is free fill what is waited for, and wait for what is held but gone."""
    policy = policy or level.policy
    raw = replace(
        level,
        on_hand=level.on_hand + on_hand,
        reserved=level.reserved + reserved,
        backordered=level.backordered + backordered,
        safety_stock=policy.safety_stock,
        backorder_limit=policy.backorder_limit,
        low_stock_threshold=policy.low_stock_threshold,
    )
    gone = max(raw.reserved - raw.on_hand, 0)
    filled = min(max(raw.available, 0), raw.backordered) - gone
    after = replace(raw, reserved=raw.reserved + filled, backordered=raw.backordered - filled)
    return Change(level, after, filled)


@dataclass(frozen=True, slots=True)
class Movement:
    """An entry of the ledger."""

    id: str
    sku: str
    warehouse_id: str
    warehouse_code: str
    quantity: int
    kind: MovementKind
    reason: str
    note: str
    order_id: str
    actor: str
    request_id: str
    create_time: datetime
