"""Handles parked events whose turn has come: replayed ones, and those that waited behind them.

Any number of processes may run it: a parked event is locked while it is handled, and only the first of a key is taken.
"""

import asyncio
import contextlib
from collections import Counter
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import Final, Protocol

from mesh.telemetry import get_logger
from services.common import consumer_metrics as metrics
from services.common.connection import Connection
from services.common.handling import TRANSIENT, Effects, Patience, describe
from services.common.inbox import Taken
from services.common.parked import ParkedEvent, Reason, State
from services.common.received import Record, UndecodableError, event_in

_log = get_logger(__name__)

INBOX_RETENTION: Final = timedelta(days=30)
"""Longer than a topic or a dead-letter topic keeps an event, so none comes again that the inbox forgot."""

_PRUNE_SECONDS: Final = 3600.0
_PRUNE_BATCH: Final = 5000


class Inbox(Protocol):
    """What replays need of services.common.inbox."""

    async def take_parked(self, connection: Connection, event_id: str) -> Taken:
        """Note an event as handled whose turn has come; NEW or DUPLICATE."""

    async def prune(self, older_than: timedelta, limit: int) -> int:
        """Forget events handled longer ago than Kafka could bring them again. Returns how many."""


class Parked(Protocol):
    """What replays need of services.common.parked."""

    def transaction(self) -> AbstractAsyncContextManager[Connection]:
        """Open the transaction in which a parked event is handled."""

    async def next(self, connection: Connection) -> ParkedEvent | None:
        """Lock an event whose turn has come, for this transaction; none that another process has locked."""

    async def remove(self, connection: Connection, event: ParkedEvent) -> None:
        """Take it off the queue, in the transaction of its effect."""

    async def fail(self, event: ParkedEvent, reason: Reason, error: str) -> None:
        """Commit that it failed again."""

    async def count(self) -> tuple[int, int]:
        """How many there are that failed, and that wait."""


class DeadLetters(Protocol):
    """What replays need of services.common.dead_letter_topic."""

    async def fetch(self, event: ParkedEvent) -> Record:
        """Read a record back as it was in its own topic. Raises Unavailable, or LostError."""


class Replays:
    """The worker of one consumer group."""

    def __init__(  # noqa: PLR0913 - each is another thing it stands on
        self,
        group: str,
        effects: Effects,
        *,
        inbox: Inbox,
        parked: Parked,
        letters: DeadLetters,
        patience: Patience,
        interval: float,
    ) -> None:
        """`interval`: seconds between looks for events whose turn has come."""
        self._group = group
        self._effects = effects
        self._inbox = inbox
        self._parked = parked
        self._letters = letters
        self._patience = patience
        self._interval = interval
        self._failures: Counter[int] = Counter()

    async def run(self, stop: asyncio.Event) -> None:
        """Look until stopped, and now and then forget what the inbox need not remember."""
        loop = asyncio.get_running_loop()
        prune_at = loop.time()
        while not stop.is_set():
            try:
                await self._look(stop)
                if loop.time() >= prune_at:
                    full = await self._inbox.prune(INBOX_RETENTION, _PRUNE_BATCH) == _PRUNE_BATCH
                    prune_at = loop.time() + (0 if full else _PRUNE_SECONDS)
            except TRANSIENT as fault:
                _log.warning("parked events can't be looked at yet", error=describe(fault))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), self._interval)

    async def once(self) -> bool:
        """Handle the next event whose turn has come. False when there is none, or it has to be tried later."""
        event = await self._next()
        if event is None:
            return False
        try:
            await self._handle(event)
        except Exception as fault:  # noqa: BLE001 - whatever a handler raises is told in the event's row
            return await self._failed(event, fault)
        self._failures.pop(event.id, None)
        return True

    async def _look(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            failed, waiting = await self._parked.count()
            metrics.PARKED.labels(self._group, State.FAILED).set(failed)
            metrics.PARKED.labels(self._group, State.WAITING).set(waiting)
            if not waiting or not await self.once():
                return

    async def _next(self) -> ParkedEvent | None:
        async with self._parked.transaction() as connection:
            return await self._parked.next(connection)

    async def _handle(self, event: ParkedEvent) -> None:
        # Kafka is read before the transaction, which must not wait for it; so another process may be quicker.
        received = event_in(await self._letters.fetch(event))
        async with self._parked.transaction() as connection:
            locked = await self._parked.next(connection)
            if locked is None or locked.id != event.id:
                return
            if await self._inbox.take_parked(connection, received.id) is Taken.NEW:
                await self._effects.have(connection, received)
            await self._parked.remove(connection, event)
        self._effects.committed(received)
        metrics.CONSUMED.labels(self._group, event.topic, "replayed").inc()
        _log.info("parked event handled", topic=event.topic, parked_id=event.id, event_id=received.id)

    async def _failed(self, event: ParkedEvent, fault: Exception) -> bool:
        self._failures[event.id] += 1
        if isinstance(fault, TRANSIENT) and self._failures[event.id] < self._patience.attempts:
            metrics.RETRIED.labels(self._group, event.topic).inc()
            _log.warning("parked event not handled yet", parked_id=event.id, error=describe(fault))
            return False
        del self._failures[event.id]
        await self._parked.fail(event, _reason(fault), describe(fault))
        _log.error("parked event failed again", topic=event.topic, parked_id=event.id, error=describe(fault))
        return True


def _reason(fault: Exception) -> Reason:
    if isinstance(fault, UndecodableError):
        return Reason.UNDECODABLE
    return Reason.RETRIES_EXHAUSTED if isinstance(fault, TRANSIENT) else Reason.REFUSED
