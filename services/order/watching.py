"""Following orders as they change: all watchers of this process share one look at the database.

Looking costs the hot path nothing, and one statement each time however many watch. PostgreSQL's NOTIFY would take a
lock that all commits of the database share.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Protocol

from mesh import errors
from mesh.telemetry import get_logger
from services.order.domain.order import Order

_log = get_logger(__name__)


class Store(Protocol):
    """What watching needs of the order's own database."""

    async def versions(self, order_ids: list[str]) -> dict[str, int]:
        """Read how far those of the orders are that there are."""

    async def get(self, order_id: str) -> Order:
        """Read the order as it stands."""


class Watching:
    """The watchers of this process, and the worker that looks for them."""

    def __init__(self, store: Store, interval: timedelta) -> None:
        """`interval`: how often to look. How many may watch is the gate's business, which bounds streams."""
        self._store = store
        self._interval = interval.total_seconds()
        self._watched: Counter[str] = Counter()
        self._versions: dict[str, int] = {}
        self._looked = asyncio.Condition()
        self._stopped = False

    async def follow(self, order: Order) -> AsyncIterator[Order]:
        """Give the order, and again whenever it changed, until the process stops."""
        self._watched[order.id] += 1
        try:
            yield order
            while await self._changed(order):
                order = await self._store.get(order.id)
                yield order
        finally:
            self._watched[order.id] -= 1
            if not self._watched[order.id]:
                del self._watched[order.id]
                self._versions.pop(order.id, None)

    async def run(self, stop: asyncio.Event) -> None:
        """Look until stopped, and let the watchers go then."""
        while not stop.is_set():
            try:
                await asyncio.wait_for(stop.wait(), self._interval)
            except TimeoutError:
                await self.look()
        async with self._looked:
            self._stopped = True
            self._looked.notify_all()

    async def look(self) -> None:
        """Look once, if anybody watches."""
        if not self._watched:
            return
        try:
            found = await self._store.versions(list(self._watched))
        except errors.Error as fault:
            _log.warning("can't look for changes of orders", error=str(fault), watched=len(self._watched))
            return
        async with self._looked:
            self._versions = found
            self._looked.notify_all()

    async def _changed(self, order: Order) -> bool:
        """Wait until the order has changed; False when the process stops."""
        async with self._looked:
            await self._looked.wait_for(lambda: self._stopped or self._versions.get(order.id, 0) > order.version)
            return not self._stopped
