"""Orders that are on their way for too long: a metric, and `python -m services.order.stuck` lists them."""

import asyncio
import contextlib
import sys
from datetime import UTC, datetime, timedelta
from typing import Protocol

from prometheus_client import Gauge

from mesh import errors
from mesh.telemetry import get_logger
from services.common.database import Database
from services.order.settings import OrderSettings
from services.order.store import OrderStore, Stuck

_log = get_logger(__name__)

_MOST = 1000
STUCK = Gauge(
    "ordermesh_order_stuck_orders",
    f"Orders that are on their way for longer than the setting stuck_seconds; {_MOST} stands for as many or more.",
)


class Store(Protocol):
    """What this needs of the order's own database."""

    async def stuck(self, longer_than: timedelta, limit: int) -> list[Stuck]:
        """List orders that are on their way for longer than that, the longest first."""


class StuckOrders:
    """The worker that counts them."""

    def __init__(self, store: Store, interval: timedelta, longer_than: timedelta) -> None:
        """`interval`: how often to look."""
        self._store = store
        self._interval = interval.total_seconds()
        self._longer_than = longer_than

    async def run(self, stop: asyncio.Event) -> None:
        """Look until stopped."""
        while not stop.is_set():
            await self.once()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), self._interval)

    async def once(self) -> None:
        """Look once; a database that is away keeps the last figure."""
        try:
            found = await self._store.stuck(self._longer_than, _MOST)
        except errors.Error as fault:
            _log.warning("can't look for stuck orders", error=str(fault))
            return
        STUCK.set(len(found))
        if found:
            _log.warning("orders are stuck", count=len(found), longest=found[0].id)


async def _main() -> int:
    settings = OrderSettings(service="order")
    async with Database.open(settings) as database:
        found = await OrderStore.reading(database).stuck(timedelta(seconds=settings.stuck_seconds), _MOST)
    now = datetime.now(UTC)
    for order in found:
        doing = "carrying out a request" if order.under_way else order.state
        since = timedelta(seconds=int((now - order.update_time).total_seconds()))
        sys.stdout.write(f"{order.id} {doing} for {since}, customer {order.customer_id}\n")
    sys.stdout.write(f"{len(found)} orders are on their way for more than {settings.stuck_seconds:g} s\n")
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(_main()))
