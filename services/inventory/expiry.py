"""Lets go of stock whose order came to nothing: asks order what became of those whose reservation is past its time.

An order that is unknown, rejected or cancelled gives its units back; one that is not decided has its reservation
extended; any other holds its units for good. While order can't be asked nothing is let go.
"""

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from datetime import timedelta
from enum import StrEnum
from typing import Final, Protocol

from prometheus_client import Counter

from mesh import context, errors
from mesh.telemetry import get_logger
from services.inventory.domain.reservation import Reservation

_log = get_logger(__name__)

BATCH = 100
"""As many orders can be asked for at once."""

EXPIRED: Final = Counter(
    "ordermesh_inventory_expired_reservations_total",
    "Reservations past their time: released, extended, firm from now on, or failed and tried again.",
    ("outcome",),
)


class Fate(StrEnum):
    """What became of an order, as far as its stock goes."""

    OVER = "over"
    OPEN = "open"
    GOES_ON = "goes_on"


class Orders(Protocol):
    """Knows what became of orders."""

    async def fates(self, order_ids: Sequence[str]) -> Mapping[str, Fate]:
        """Tell the fate of each order, known or not. Raises mesh.errors."""


class Store(Protocol):
    """What expiry needs of the reservations."""

    async def claim_overdue(self, limit: int, lease: timedelta) -> list[str]:
        """Take the orders of overdue reservations for so long; no two workers get the same one."""

    async def release(self, order_id: str) -> Reservation:
        """Give all units of the order back."""

    async def extend(self, order_id: str, ttl: timedelta | None) -> Reservation:
        """Leave the reservation alone for so long; None: for good."""


class Expiry:
    """The worker; any number of instances may run one."""

    def __init__(self, store: Store, orders: Orders, ttl: timedelta, interval: timedelta, lease: timedelta) -> None:
        """`ttl`: how much longer an undecided order has; `interval`: how often to look; `lease`: see the store."""
        self._store = store
        self._orders = orders
        self._ttl = ttl
        self._interval = interval.total_seconds()
        self._lease = lease

    async def run(self, stop: asyncio.Event) -> None:
        """Look for overdue reservations until stopped."""
        while not stop.is_set():
            if await self.once() < BATCH:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), self._interval)

    async def once(self) -> int:
        """Claim a batch and settle it; what could not be comes again after the lease. Returns how many were settled."""
        with context.background(actor="service:inventory"):
            overdue = await self._store.claim_overdue(BATCH, self._lease)
            try:
                fates = await self._orders.fates(overdue)
            except errors.Error as fault:
                EXPIRED.labels("failed").inc(len(overdue))
                _log.warning("orders can't be asked; nothing expires", error=str(fault), overdue=len(overdue))
                return 0
            return sum([await self._settle(order_id, fate) for order_id, fate in fates.items()])

    async def _settle(self, order_id: str, fate: Fate) -> bool:
        try:
            if fate is Fate.OVER:
                await self._store.release(order_id)
            else:
                await self._store.extend(order_id, self._ttl if fate is Fate.OPEN else None)
        except errors.FailedPrecondition:
            # Its units left or were given back meanwhile.
            return True
        except errors.Error as fault:
            EXPIRED.labels("failed").inc()
            _log.warning("reservation not settled yet", order_id=order_id, error=str(fault), reason=fault.reason)
            return False
        outcome = {Fate.OVER: "released", Fate.OPEN: "extended", Fate.GOES_ON: "firm"}[fate]
        EXPIRED.labels(outcome).inc()
        _log.info("reservation past its time", order_id=order_id, outcome=outcome)
        return True
