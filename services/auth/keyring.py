"""The signing keys of one instance: which signs now, which verify, and their rotation.

A key is published for a while before it signs, so that whoever verifies has fetched it by then, and verifies until the
last token it signed has ended. The database says when; instances only read it, again and again.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from mesh import context, errors
from mesh.telemetry import get_logger
from services.auth import keys
from services.auth.keys import SigningKey
from services.auth.store.keys import Rotation

_log = get_logger(__name__)

FRESH = timedelta(seconds=10)
"""How old an instance's knowledge of the keys may become."""


class Store(Protocol):
    """What the key ring needs of the database."""

    async def keys(self) -> list[SigningKey]:
        """Read all keys, those that sign last first."""

    async def rotate(self, key: SigningKey, wait: timedelta, age: timedelta = timedelta(0)) -> Rotation:
        """Keep a key that signs after the wait, unless the newest is younger than `age` or waits itself."""

    async def tidy(self, keep: timedelta) -> Sequence[str]:
        """Delete the keys whose successors have been signing for longer than `keep`."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long a key is published before it signs, how long it signs, and how long it verifies afterwards."""

    wait: timedelta
    age: timedelta
    keep: timedelta


class KeyRing:
    """The keys, as fresh as they need to be."""

    def __init__(self, store: Store, schedule: Schedule, clock: Callable[[], datetime]) -> None:
        """`clock` may differ from the database's by less than `schedule.wait` less what verifiers need."""
        self._store = store
        self._schedule = schedule
        self._clock = clock
        self._reading = asyncio.Lock()
        self._known: Sequence[SigningKey] = ()
        self._read_time: datetime | None = None

    async def published(self) -> Sequence[SigningKey]:
        """Return all keys that verify, also one that does not sign yet. Old knowledge is better than none."""
        try:
            return await self._fresh()
        except errors.Unavailable:
            if not self._known:
                raise
            return self._known

    async def signing(self) -> SigningKey:
        """Return the key that signs now. Raises Unavailable rather than sign with one that may have been replaced."""
        now = self._clock()
        known = await self._fresh()
        # Clocks differ: of a database with a single key whose time has not come by ours, it has come by its own.
        return next((key for key in known if key.sign_time <= now), known[-1])

    async def rotate(self) -> Rotation:
        """Make the next key, unless one is waiting to sign already."""
        return await self._store.rotate(keys.generate(self._clock()), self._schedule.wait)

    async def check(self) -> None:
        """Raise unless tokens can be signed; health asks."""
        await self.published()

    async def run(self, stop: asyncio.Event) -> None:
        """Rotate keys that have become old and delete those that nobody needs any more, until `stop`."""
        while not stop.is_set():
            with context.background(actor="service:auth"):
                await self._look_after()
            try:
                await asyncio.wait_for(stop.wait(), FRESH.total_seconds())
            except TimeoutError:
                continue

    async def _look_after(self) -> None:
        known = await self._fresh()
        now, schedule = self._clock(), self._schedule
        if known[0].sign_time <= now - schedule.age:
            rotation = await self._store.rotate(keys.generate(now), schedule.wait, schedule.age)
            _log.info("signing key rotated", key_id=rotation.key_id, sign_time=rotation.sign_time.isoformat())
        for id_ in await self._store.tidy(schedule.keep):
            _log.info("signing key deleted", key_id=id_)

    async def _fresh(self) -> Sequence[SigningKey]:
        async with self._reading:
            now = self._clock()
            if self._read_time is None or now - self._read_time >= FRESH:
                known = await self._store.keys()
                if not known:
                    await self._store.rotate(keys.generate(now), self._schedule.wait, self._schedule.age)
                    known = await self._store.keys()
                self._known, self._read_time = known, now
            return self._known
