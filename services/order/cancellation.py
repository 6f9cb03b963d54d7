"""Cancelling an order: commits the wish, has it driven, and waits for the outcome."""

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from services.order.domain import order as orders
from services.order.domain.errors import OrderChanged
from services.order.domain.order import Order, State
from services.order.placement import Drives


class Store(Protocol):
    """What cancelling needs of the order's own database."""

    async def save(self, order: Order) -> None:
        """Commit the order and the event of its last transition. Raises OrderChanged unless it is the next version."""

    async def get(self, order_id: str) -> Order:
        """Read the order as it stands."""


class Cancellation:
    """The use case behind CancelOrder."""

    def __init__(self, store: Store, drives: Drives, clock: Callable[[], datetime]) -> None:
        """Everything from outside comes in here."""
        self._store = store
        self._drives = drives
        self._clock = clock

    async def cancel(self, order: Order, reason: str, etag: str, within: float) -> Order:
        """Cancel the order and return it, settled or as it stands after `within` seconds.

        A cancelled order stays so, whatever the etag: the request may be a repeated one.
        """
        while order.state not in {State.CANCELLING, State.CANCELLED}:
            if etag and etag != order.etag:
                raise OrderChanged(order.id)
            order = await self._request(order, reason)
        return order if order.settled else await self._drives.drive(order, within)

    async def _request(self, order: Order, reason: str) -> Order:
        wanted = orders.request_cancellation(order, reason, self._clock())
        try:
            await self._store.save(wanted)
        except OrderChanged:
            # The saga moved the order meanwhile; decide anew on what it is now.
            return await self._store.get(order.id)
        return wanted
