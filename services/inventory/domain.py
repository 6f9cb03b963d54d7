"""Stock and who it is held for: how units are chosen from warehouses, and what may become of a reservation. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from mesh import errors


class State(StrEnum):
    """Where a reservation stands; the names are those of the contract."""

    HELD = "HELD"
    RELEASED = "RELEASED"
    COMMITTED = "COMMITTED"


@dataclass(frozen=True, slots=True)
class Warehouse:
    """A place that holds stock. Lower priorities are used first."""

    id: str
    code: str
    display_name: str
    priority: int


@dataclass(frozen=True, slots=True)
class Level:
    """Units of one SKU in one warehouse; `available` is what can still be promised."""

    sku: str
    warehouse_id: str
    warehouse_code: str
    priority: int
    on_hand: int
    reserved: int

    @property
    def available(self) -> int:
        """Units that can be sold now."""
        return self.on_hand - self.reserved


@dataclass(frozen=True, slots=True)
class Allocation:
    """Units of one SKU held in one warehouse."""

    sku: str
    warehouse_id: str
    quantity: int


@dataclass(frozen=True, slots=True)
class Reservation:
    """Stock held for one order. `short` names the SKUs for which it was refused; it then holds nothing."""

    id: str
    order_id: str
    state: State
    allocations: tuple[Allocation, ...]
    expire_time: datetime
    create_time: datetime
    version: int = 1
    short: tuple[str, ...] = field(default=())


class StockNotFound(errors.NotFound):
    """None of the SKU was ever received."""

    def __init__(self, sku: str) -> None:
        super().__init__(f"there is no stock of {sku}", reason="STOCK_NOT_FOUND", metadata={"sku": sku})


class WarehouseNotFound(errors.NotFound):
    """There is no warehouse of that code, or none at all."""

    def __init__(self, code: str) -> None:
        super().__init__(
            f"there is no warehouse {code!r}" if code else "there is no warehouse yet; create one first",
            reason="WAREHOUSE_NOT_FOUND",
            violations=[errors.FieldViolation("warehouse_code", "no such warehouse", "WAREHOUSE_NOT_FOUND")],
        )


class WarehouseCodeTaken(errors.AlreadyExists):
    """Another warehouse has the code."""

    def __init__(self, code: str) -> None:
        super().__init__(
            f"there is a warehouse {code!r} already",
            reason="WAREHOUSE_CODE_TAKEN",
            violations=[errors.FieldViolation("code", "taken", "WAREHOUSE_CODE_TAKEN")],
        )


class RequestIdReused(errors.AlreadyExists):
    """The request id was used for a delivery of something else."""

    def __init__(self, request_id: str) -> None:
        super().__init__(
            "this request id was used for another delivery; use a new one",
            reason="IDEMPOTENCY_KEY_REUSED",
            violations=[
                errors.FieldViolation("request_id", f"{request_id!r} was used before", "IDEMPOTENCY_KEY_REUSED")
            ],
        )


class OutOfStock(errors.FailedPrecondition):
    """Not all lines can be held, so none is. `skus` in the metadata names those that are short, by comma."""

    def __init__(self, skus: Sequence[str]) -> None:
        super().__init__(
            f"not enough in stock of {', '.join(skus)}", reason="OUT_OF_STOCK", metadata={"skus": ",".join(skus)}
        )


class ReservationNotFound(errors.NotFound):
    """The order has no reservation."""

    def __init__(self, order_id: str) -> None:
        super().__init__(
            f"there is no reservation for order {order_id}",
            reason="RESERVATION_NOT_FOUND",
            metadata={"order_id": order_id},
        )


class ReservationSettled(errors.FailedPrecondition):
    """What was asked can't be done any more: the reservation was released or committed."""

    def __init__(self, order_id: str, state: State) -> None:
        super().__init__(
            f"the reservation of order {order_id} is {state}",
            reason=f"RESERVATION_{state}",
            metadata={"order_id": order_id, "state": state},
        )


def allocate(wanted: Mapping[str, int], levels: Sequence[Level]) -> tuple[Allocation, ...]:
    """Choose where the wanted units (by SKU) come from. Raises OutOfStock when any SKU is short in sum.

    One warehouse for everything if any has it all, the one of lowest priority first, so that the order ships as one
    parcel; otherwise each SKU from the warehouses by priority.
    """
    levels = sorted(levels, key=lambda level: (level.priority, level.warehouse_id))
    if short := [sku for sku, quantity in wanted.items() if _available(sku, levels) < quantity]:
        raise OutOfStock(sorted(short))
    for warehouse_id in dict.fromkeys(level.warehouse_id for level in levels):
        here = [level for level in levels if level.warehouse_id == warehouse_id]
        if all(_available(sku, here) >= quantity for sku, quantity in wanted.items()):
            return tuple(Allocation(sku, warehouse_id, quantity) for sku, quantity in sorted(wanted.items()))
    return tuple(part for sku, quantity in sorted(wanted.items()) for part in _split(sku, quantity, levels))


def _available(sku: str, levels: Sequence[Level]) -> int:
    return sum(max(level.available, 0) for level in levels if level.sku == sku)


def _split(sku: str, quantity: int, levels: Sequence[Level]) -> list[Allocation]:
    parts = []
    for level in levels:
        if level.sku != sku or level.available <= 0 or quantity == 0:
            continue
        taken = min(quantity, level.available)
        parts.append(Allocation(sku, level.warehouse_id, taken))
        quantity -= taken
    return parts
