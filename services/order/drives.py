"""Orders being driven by this process, and waiting for those that another drives."""

import asyncio
from typing import Protocol

from mesh import errors
from mesh.telemetry import get_logger
from services.order.domain.order import Order
from services.order.ports import PaymentUnsettledError
from services.order.saga import Saga

_log = get_logger(__name__)

_FIRST_LOOK_SECONDS = 0.02
_SLOWEST_LOOK_SECONDS = 0.25


class Store(Protocol):
    """What driving needs of the order's own database."""

    async def get(self, order_id: str) -> Order:
        """Read the order as it stands."""

    async def give_up_lease(self, order_id: str) -> None:
        """Let the recovery worker take the order at once."""


class Drives:
    """The drives of this process. A caller who hangs up does not stop the drive of their order."""

    def __init__(self, saga: Saga, store: Store) -> None:
        """Start with none."""
        self._saga = saga
        self._store = store
        self._running: set[asyncio.Task[Order]] = set()

    async def drive(self, order: Order, within: float, payment_token: str | None = None) -> Order:
        """Drive the order and return it as it stands when it is settled, or after `within` seconds."""
        task = asyncio.create_task(self._drive(order, payment_token))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        done, _ = await asyncio.wait({task}, timeout=within)
        return task.result() if done else await self._store.get(order.id)

    async def outcome(self, order: Order, within: float) -> Order:
        """Wait for whoever drives the order; returns it settled, or as it stands after `within` seconds."""
        deadline = asyncio.get_running_loop().time() + within
        look = _FIRST_LOOK_SECONDS
        while not order.settled and asyncio.get_running_loop().time() + look < deadline:
            await asyncio.sleep(look)
            look = min(look * 1.5, _SLOWEST_LOOK_SECONDS)
            order = await self._store.get(order.id)
        return order

    async def finish(self, stop: asyncio.Event) -> None:
        """Wait for the stop, then for the orders on their way."""
        await stop.wait()
        if self._running:
            await asyncio.wait(self._running)

    async def _drive(self, order: Order, payment_token: str | None) -> Order:
        try:
            return await self._saga.drive(order, payment_token)
        except (errors.Error, PaymentUnsettledError) as fault:
            # The order is safe where it stands; the recovery worker takes it on from there.
            _log.warning("order left to recovery", order_id=order.id, error=str(fault), kind=type(fault).__name__)
            await self._store.give_up_lease(order.id)
            return await self._store.get(order.id)
