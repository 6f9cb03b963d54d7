"""Takes on orders whose driver died or met a fault: claims them by lease and drives them to their outcome."""

import asyncio
import contextlib
from datetime import timedelta
from typing import Protocol

from mesh import context, errors
from mesh.telemetry import get_logger
from services.order.domain.order import Order
from services.order.ports import PaymentUnsettledError
from services.order.saga import Saga

_log = get_logger(__name__)

_BATCH = 20


class Store(Protocol):
    """What recovery needs of the order's own database."""

    async def claim_unsettled(self, limit: int, lease: timedelta) -> list[Order]:
        """Take the lease of unsettled orders whose lease ran out; no two workers get the same one."""


class Recovery:
    """The worker; any number of instances may run one."""

    def __init__(self, saga: Saga, store: Store, interval: timedelta, lease: timedelta) -> None:
        """`interval`: how often to look. `lease`: how long a claimed order is left alone by the others."""
        self._saga = saga
        self._store = store
        self._interval = interval.total_seconds()
        self._lease = lease

    async def run(self, stop: asyncio.Event) -> None:
        """Look for orders until stopped."""
        while not stop.is_set():
            if await self.once() < _BATCH:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), self._interval)

    async def once(self) -> int:
        """Claim a batch and drive it. Returns how many were claimed."""
        claimed = await self._store.claim_unsettled(_BATCH, self._lease)
        await asyncio.gather(*(self._recover(order) for order in claimed))
        return len(claimed)

    async def _recover(self, order: Order) -> None:
        try:
            with context.background(actor="service:order"):
                settled = await asyncio.wait_for(self._saga.drive(order), self._lease.total_seconds() / 2)
        except (errors.Error, PaymentUnsettledError, TimeoutError) as fault:
            _log.warning("order not recovered yet", order_id=order.id, error=str(fault), kind=type(fault).__name__)
        else:
            _log.info("order recovered", order_id=order.id, state=settled.state)
