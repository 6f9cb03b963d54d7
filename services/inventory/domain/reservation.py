"""Reservations: units held for an order, and how they leave, are given back and return."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from services.inventory.domain.errors import NotCommitted, NotHeld, ReservationSettled, StockBackordered


class State(StrEnum):
    """Where a reservation stands; the names are those of the contract."""

    HELD = "HELD"
    RELEASED = "RELEASED"
    COMMITTED = "COMMITTED"


@dataclass(frozen=True, slots=True)
class Allocation:
    """Units of one SKU from one warehouse for one order.

    Those neither `backordered`, `committed` nor `released` are held; of those committed some may have `returned`.
    """

    sku: str
    warehouse_id: str
    quantity: int
    backordered: int = 0
    committed: int = 0
    released: int = 0
    returned: int = 0

    @property
    def held(self) -> int:
        """Units that are there for the order."""
        return self.quantity - self.backordered - self.committed - self.released


@dataclass(frozen=True, slots=True)
class Reservation:
    """Stock held for one order. `short` names the SKUs for which it was refused; it then holds nothing.

    Past its `expire_time` inventory asks what became of the order, unless it is `firm`.
    """

    id: str
    order_id: str
    state: State
    allocations: tuple[Allocation, ...]
    expire_time: datetime
    create_time: datetime
    version: int = 1
    short: tuple[str, ...] = field(default=())
    firm: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """Units of one SKU that something should happen to, in one warehouse or wherever the order has them."""

    sku: str
    quantity: int
    warehouse_id: str | None = None


@dataclass(frozen=True, slots=True)
class Units:
    """Units of one SKU in one warehouse that something happened to; `backordered` of them had not arrived."""

    sku: str
    warehouse_id: str
    quantity: int
    backordered: int = 0


@dataclass(frozen=True, slots=True)
class Moved:
    """A reservation after units of it moved, and which did; none when there was nothing to do."""

    reservation: Reservation
    units: tuple[Units, ...] = ()


Takes = Callable[[Allocation, int], tuple[Allocation, int]]
"""Moves up to so many units of an allocation; gives the allocation afterwards, and how many were moved."""


def release(reservation: Reservation, lines: Sequence[Line] = ()) -> Moved:
    """Give units back: those of the lines, or all. Raises NotHeld, and ReservationSettled when all units have left."""
    if not lines:
        if reservation.allocations and all(part.committed == part.quantity for part in reservation.allocations):
            raise ReservationSettled(reservation.order_id, State.COMMITTED)
        lines = _all(reservation, lambda part: part.held + part.backordered)
    after = reservation.allocations
    for line in lines:
        after, left = _take(after, line, _release_backordered)
        after, left = _take(after, replace(line, quantity=left), _release_held)
        if left:
            raise NotHeld(reservation.order_id, line.sku, line.quantity - left)
    return _moved(reservation, after)


def commit(reservation: Reservation, lines: Sequence[Line] = ()) -> Moved:
    """Have units leave: those of the lines, or all. Raises NotHeld, StockBackordered, ReservationSettled."""
    if reservation.state is State.RELEASED:
        raise ReservationSettled(reservation.order_id, reservation.state)
    if not lines:
        if late := [part.sku for part in reservation.allocations if part.backordered]:
            raise StockBackordered(reservation.order_id, late)
        lines = _all(reservation, lambda part: part.held)
    after = reservation.allocations
    for line in lines:
        after, left = _take(after, line, _commit)
        if left:
            waiting = sum(part.backordered for part in _matching(after, line))
            if left <= waiting:
                raise StockBackordered(reservation.order_id, [line.sku])
            raise NotHeld(reservation.order_id, line.sku, line.quantity - left)
    return _moved(reservation, after)


def revert(reservation: Reservation, units: Sequence[Units]) -> Moved:
    """Have units that did not leave after all be held again, where they were. Raises NotCommitted."""
    after = reservation.allocations
    for each in units:
        after, left = _take(after, Line(each.sku, each.quantity, each.warehouse_id), _hold_again)
        if left:
            raise NotCommitted(reservation.order_id, each.sku, each.quantity - left)
    return Moved(_next(reservation, after), tuple(units))


def take_back(reservation: Reservation, lines: Sequence[Line]) -> Moved:
    """Have units come back, to the warehouses the lines name or where they came from. Raises NotCommitted."""
    after, units = reservation.allocations, []
    for line in lines:
        before = after
        after, left = _take(after, Line(line.sku, line.quantity), _return)
        if left:
            raise NotCommitted(reservation.order_id, line.sku, line.quantity - left)
        units += [
            Units(line.sku, line.warehouse_id or old.warehouse_id, new.returned - old.returned)
            for old, new in zip(before, after, strict=True)
            if new.returned > old.returned
        ]
    return Moved(_next(reservation, after), _summed(units))


def backorder(reservation: Reservation, units: Sequence[Units]) -> Reservation:
    """Have held units of an order be waited for, or, where a number is negative, have arrived what it waited for."""
    more = {(each.sku, each.warehouse_id): each.quantity for each in units}
    return _next(
        reservation,
        tuple(
            replace(part, backordered=part.backordered + more.get((part.sku, part.warehouse_id), 0))
            for part in reservation.allocations
        ),
    )


def _release_backordered(part: Allocation, most: int) -> tuple[Allocation, int]:
    taken = min(most, part.backordered)
    return replace(part, backordered=part.backordered - taken, released=part.released + taken), taken


def _release_held(part: Allocation, most: int) -> tuple[Allocation, int]:
    taken = min(most, part.held)
    return replace(part, released=part.released + taken), taken


def _commit(part: Allocation, most: int) -> tuple[Allocation, int]:
    taken = min(most, part.held)
    return replace(part, committed=part.committed + taken), taken


def _hold_again(part: Allocation, most: int) -> tuple[Allocation, int]:
    taken = min(most, part.committed - part.returned)
    return replace(part, committed=part.committed - taken), taken


def _return(part: Allocation, most: int) -> tuple[Allocation, int]:
    taken = min(most, part.committed - part.returned)
    return replace(part, returned=part.returned + taken), taken


def _take(parts: tuple[Allocation, ...], line: Line, takes: Takes) -> tuple[tuple[Allocation, ...], int]:
    """Take a line's units from the allocations that match it; gives them afterwards, and how many are still wanted."""
    after, left = [], line.quantity
    for part in parts:
        if _matches(part, line):
            changed, taken = takes(part, left)
            after.append(changed)
            left -= taken
        else:
            after.append(part)
    return tuple(after), left


def _matching(parts: Sequence[Allocation], line: Line) -> list[Allocation]:
    return [part for part in parts if _matches(part, line)]


def _matches(part: Allocation, line: Line) -> bool:
    return part.sku == line.sku and line.warehouse_id in {None, part.warehouse_id}


def _all(reservation: Reservation, units: Callable[[Allocation], int]) -> list[Line]:
    return [Line(part.sku, units(part), part.warehouse_id) for part in reservation.allocations if units(part)]


def _moved(reservation: Reservation, after: tuple[Allocation, ...]) -> Moved:
    units = tuple(
        Units(old.sku, old.warehouse_id, gone, old.backordered - new.backordered)
        for old, new in zip(reservation.allocations, after, strict=True)
        if (gone := old.held + old.backordered - new.held - new.backordered)
    )
    return Moved(_next(reservation, after), units) if units else Moved(reservation)


def _next(reservation: Reservation, allocations: tuple[Allocation, ...]) -> Reservation:
    if any(part.held or part.backordered for part in allocations):
        state = State.HELD
    elif any(part.committed for part in allocations):
        state = State.COMMITTED
    else:
        state = State.RELEASED
    return replace(reservation, allocations=allocations, state=state, version=reservation.version + 1)


def _summed(units: Sequence[Units]) -> tuple[Units, ...]:
    sums: dict[tuple[str, str], int] = {}
    for one in units:
        key = (one.sku, one.warehouse_id)
        sums[key] = sums.get(key, 0) + one.quantity
    return tuple(Units(sku, warehouse_id, quantity) for (sku, warehouse_id), quantity in sorted(sums.items()))
