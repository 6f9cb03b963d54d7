"""Stock that callers follow: one reader for all of them, which tells each what changed since it was last told.

It reads the database every half second, and only while somebody watches. Whoever needs every change at once, or the
stock of everything, has the topic `inventory-stock` (docs/inventory.md).
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Protocol

from mesh import errors
from mesh.telemetry import get_logger
from services.inventory.domain.stock import Level

_log = get_logger(__name__)

Levels = list[Level]
_MARGIN_SECONDS = 1.0
"""A stream ends so long before its deadline, for its caller to see that all is well."""


class Store(Protocol):
    """What is read."""

    async def levels(self, skus: Sequence[str]) -> Levels:
        """Read the levels of the SKUs."""


class Watch:
    """Everybody who watches stock in this process."""

    def __init__(self, store: Store, interval: timedelta = timedelta(seconds=0.5)) -> None:
        """`interval`: how often to read."""
        self._store = store
        self._interval = interval.total_seconds()
        self._watched: Counter[str] = Counter()
        self._seen: Mapping[str, Levels] = {}
        self._round = asyncio.Event()

    async def run(self, stop: asyncio.Event) -> None:
        """Read what is watched until stopped."""
        while not stop.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), self._interval)
            if self._watched and not stop.is_set():
                await self._read()

    async def follow(self, skus: Sequence[str], seconds: float | None) -> AsyncGenerator[tuple[str, Levels], None]:
        """Give the levels of each SKU now, and again when they changed, for so many seconds."""
        with self._watching(skus):
            told = await self._levels_of(skus)
            for sku in skus:
                yield sku, told[sku]
            end = None if seconds is None else asyncio.get_running_loop().time() + seconds - _MARGIN_SECONDS
            while True:
                turn = self._round
                try:
                    async with asyncio.timeout_at(end):
                        await turn.wait()
                except TimeoutError:
                    return
                for sku in skus:
                    now = self._seen.get(sku, told[sku])
                    if now != told[sku]:
                        told[sku] = now
                        yield sku, now

    @contextlib.contextmanager
    def _watching(self, skus: Sequence[str]) -> Iterator[None]:
        self._watched.update(skus)
        try:
            yield
        finally:
            self._watched -= Counter(skus)

    async def _read(self) -> None:
        try:
            self._seen = await self._levels_of(list(self._watched))
        except errors.Error as fault:
            _log.warning("watched stock not read", error=str(fault), reason=fault.reason)
        else:
            self._tell()

    async def _levels_of(self, skus: Sequence[str]) -> dict[str, Levels]:
        found: dict[str, Levels] = {sku: [] for sku in skus}
        for level in await self._store.levels(skus):
            found[level.sku].append(level)
        return found

    def _tell(self) -> None:
        """Wake everybody up; who comes back waits for the next round."""
        turn, self._round = self._round, asyncio.Event()
        turn.set()
