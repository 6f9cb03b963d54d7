"""What is done in the background: sealing what is in clear or under an older key, and throwing away what is over."""

import asyncio
import contextlib
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, Protocol

from mesh.telemetry import get_logger

_log = get_logger(__name__)

BATCH: Final = 200
REST_SECONDS: Final = 3600.0
KEPT: Final = timedelta(days=30)
"""For so long what is over can still be looked at in the database."""


class Store(Protocol):
    """What upkeep needs of the auth database."""

    async def seal_clear(self, limit: int) -> int:
        """Seal users that an older version kept in clear; return how many."""

    async def reseal(self, limit: int) -> int:
        """Seal by the present key what an older one sealed; return how many."""

    async def sweep(self, before: datetime, now: datetime) -> int:
        """Delete what was over before a time, and codes and challenges that are over now; return how many."""


class InClearError(Exception):
    """There are users in clear, whom nobody finds by their email."""


class Upkeep:
    """The worker; any number of instances may run one."""

    def __init__(self, store: Store, clock: Callable[[], datetime], rest_seconds: float = REST_SECONDS) -> None:
        """`rest_seconds`: between one round and the next."""
        self._store = store
        self._clock = clock
        self._rest = rest_seconds
        self._sealed = False

    async def check(self) -> None:
        """Raise until every user is sealed: before that one who is not could register a second time."""
        if not self._sealed:
            raise InClearError

    async def seal(self) -> None:
        """Seal every user who is in clear; nothing to do but once, after the update that began to seal."""
        while await self._store.seal_clear(BATCH):
            pass
        self._sealed = True

    async def run(self, stop: asyncio.Event) -> None:
        """Work until stopped; whoever runs this starts it again when the database is away."""
        while not stop.is_set():
            await self.once(stop)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), self._rest)

    async def once(self, stop: asyncio.Event) -> None:
        """Do one round."""
        resealed = 0
        while not stop.is_set() and (done := await self._store.reseal(BATCH)):
            resealed += done
        now = self._clock()
        swept = await self._store.sweep(now - KEPT, now)
        if resealed or swept:
            _log.info("upkeep done", resealed=resealed, swept=swept)
