"""Proves that orders and their events agree: `python -m services.order.rebuild` rebuilds every order and compares.

It only reads, and may run while orders are taken: an order is compared with the events up to the version it was read
at.
"""

import asyncio
import sys
from typing import Protocol

from services.common.database import Database
from services.common.events import StoredEvent
from services.order.domain.order import Order
from services.order.domain.rebuilding import differences, rebuild
from services.order.events import order_of
from services.order.settings import OrderSettings
from services.order.store import OrderStore

_BATCH = 200
_EVENTS = 1000
_BEFORE_ALL = "00000000-0000-0000-0000-000000000000"


class Store(Protocol):
    """What rebuilding needs of the order's own database."""

    async def ids(self, after: str, limit: int) -> list[str]:
        """List the ids of all orders, oldest first, after one."""

    async def batch(self, order_ids: list[str]) -> list[Order]:
        """Read those of the orders that there are."""

    async def events(self, order_id: str, after: int, limit: int) -> list[StoredEvent]:
        """Read the order's events after a sequence number, oldest first."""


class Rebuilding:
    """The fold of the events of one order, and of all."""

    def __init__(self, store: Store) -> None:
        """Read from there."""
        self._store = store

    async def check(self, kept: Order) -> tuple[Order | None, list[str]]:
        """Rebuild the order; give it as its events have it, and what is wrong."""
        history = [order_of(event) for event in await self._events(kept)]
        found = rebuild(history)
        if found.order is None:
            return None, ["there are no events"]
        return found.order, [*found.faults, *differences(found.order, kept)]

    async def check_all(self) -> tuple[int, dict[str, list[str]]]:
        """Check every order. Returns how many there are, and what is wrong by id."""
        count, wrong = 0, {}
        last = _BEFORE_ALL
        while ids := await self._store.ids(last, _BATCH):
            for order in await self._store.batch(ids):
                _, faults = await self.check(order)
                if faults:
                    wrong[order.id] = faults
            count, last = count + len(ids), ids[-1]
        return count, wrong

    async def _events(self, kept: Order) -> list[StoredEvent]:
        found: list[StoredEvent] = []
        while more := await self._store.events(kept.id, found[-1].sequence if found else 0, _EVENTS):
            found += more
        return [event for event in found if event.sequence <= kept.version]


async def _main() -> int:
    settings = OrderSettings(service="order")
    async with Database.open(settings) as database:
        count, wrong = await Rebuilding(OrderStore.reading(database)).check_all()
    for order_id, faults in wrong.items():
        sys.stdout.write("".join(f"{order_id}: {fault}\n" for fault in faults))
    sys.stdout.write(f"{count} orders, {len(wrong)} of them are not as their events have it\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(_main()))
