"""The worker that settles what a process that died left behind, and ends holds that ran out."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Protocol

from mesh import context, errors
from mesh.telemetry import get_logger
from services.payment.cashier import Cashier
from services.payment.domain.operation import Operation
from services.payment.domain.payment import Payment
from services.payment.movements import Movements

_log = get_logger(__name__)

AT_ONCE = 20


class Store(Protocol):
    """What is left to do, as the payment database knows it."""

    async def get(self, payment_id: str) -> Payment:
        """Read a payment. Raises PaymentNotFound."""

    async def unsettled(self, older_than: timedelta, limit: int) -> list[str]:
        """List payments that are PENDING for longer than that."""

    async def open_operations(self, older_than: timedelta, limit: int) -> list[Operation]:
        """List operations that are open for longer than that."""

    async def expired(self, now: datetime, limit: int) -> list[str]:
        """List payments whose hold ran out and still counts."""


class Leftovers:
    """Any number of instances may run one: whatever two do at once has one effect."""

    def __init__(self, store: Store, cashier: Cashier, movements: Movements, clock: Callable[[], datetime]) -> None:
        """Everything is asked of the gateways by the keys it was first asked by."""
        self._store = store
        self._cashier = cashier
        self._movements = movements
        self._clock = clock

    async def settle(self, older_than: timedelta) -> None:
        """Take on payments without an answer and operations under way, if they are older than any living request."""
        for payment_id in await self._store.unsettled(older_than, AT_ONCE):
            with _left_for_later(payment_id):
                await self._cashier.resolve(await self._store.get(payment_id))
        for operation in await self._store.open_operations(older_than, AT_ONCE):
            with _left_for_later(operation.payment_id):
                await self._movements.carry_out(operation)

    async def expire(self) -> None:
        """End holds that ran out."""
        for payment_id in await self._store.expired(self._clock(), AT_ONCE):
            with _left_for_later(payment_id):
                await self._movements.expire(await self._store.get(payment_id))

    async def run(self, stop: asyncio.Event, *, interval: timedelta, older_than: timedelta) -> None:
        """Do both until stopped."""
        while not stop.is_set():
            with context.background(actor="service:payment"):
                await self.settle(older_than)
                await self.expire()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), interval.total_seconds())


@contextlib.contextmanager
def _left_for_later(payment_id: str) -> Iterator[None]:
    """Let the trouble of one payment not keep the others from being settled."""
    try:
        yield
    except errors.Error as fault:
        _log.warning("payment not settled yet", payment_id=payment_id, error=str(fault), kind=type(fault).__name__)
