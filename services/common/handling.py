"""Bringing one record to its end: its effect is committed, or it is parked with the reason. There is no third.

Transient faults are retried a bounded number of times. A database that is away is waited for: it is no fault of the
event, and parking could not be recorded either.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Collection
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Protocol

from opentelemetry import propagate, trace

from mesh import context, errors
from mesh.headers import TRACEPARENT
from mesh.telemetry import get_logger
from services.common import consumer_metrics as metrics
from services.common.connection import Connection
from services.common.inbox import Taken
from services.common.parked import DeadLetter, Reason
from services.common.received import ReceivedEvent, Record, UndecodableError, event_in

_log = get_logger(__name__)

Handler = Callable[[Connection, ReceivedEvent], Awaitable[None]]
"""Has the effect of an event, all of it in the transaction that it is given."""

TRANSIENT: Final = (
    errors.Unavailable,
    errors.DeadlineExceeded,
    errors.Aborted,
    errors.ResourceExhausted,
    OSError,  # TimeoutError is one.
)
"""What may be gone at the next attempt. All else that a handler raises will be there again."""

_PING_SECONDS = 2.0


class StoppedError(Exception):
    """The consumer ends while a record waits for its next attempt; whoever consumes next begins it anew."""


class Inbox(Protocol):
    """What handling needs of services.common.inbox."""

    def transaction(self) -> AbstractAsyncContextManager[Connection]:
        """Open the transaction for an event and its effect."""

    async def ping(self) -> None:
        """Raise whatever is wrong when the database can't be reached."""

    async def take(self, connection: Connection, record: Record, event_id: str) -> Taken:
        """Note the event as handled, unless it was before, or has to wait behind another of its key."""


class Parking(Protocol):
    """What handling needs of services.common.parked."""

    async def park(self, record: Record, letter: DeadLetter, reason: Reason, error: str) -> None:
        """Commit that the record waits in the dead-letter topic; once for each record."""


class DeadLetters(Protocol):
    """What handling needs of services.common.dead_letter_topic."""

    async def publish(self, record: Record, reason: Reason, error: str) -> DeadLetter:
        """Copy the record there; return where it is once every replica has it. Raises Unavailable."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to bear with transient faults. Durations are in seconds."""

    attempts: int = 8
    first_pause: float = 0.1
    longest_pause: float = 5.0
    handler_timeout: float = 30.0

    def pause(self, failures: int) -> float:
        """How long to wait after so many failures: twice as long each time, between half and all of that."""
        longest = min(self.longest_pause, self.first_pause * 2 ** min(failures - 1, 30))
        return random.uniform(longest / 2, longest)  # noqa: S311 - spreads retries, hides nothing


class Effects:
    """Runs the handler of a group as the one whose act caused the event, in the trace that it began."""

    def __init__(
        self, group: str, handler: Handler, patience: Patience, committed: Callable[[], None] | None = None
    ) -> None:
        """`group` names the consumer in metrics and traces; `committed` is called after each effect's commit."""
        self._group = group
        self._handler = handler
        self._committed = committed
        self._timeout = patience.handler_timeout
        self._tracer = trace.get_tracer(__name__)

    async def have(self, connection: Connection, event: ReceivedEvent) -> None:
        """Have the effect; raises what the handler raises, and TimeoutError."""
        origin = propagate.extract({TRACEPARENT: event.traceparent})
        with (
            context.background(
                actor=event.actor or f"service:{self._group}",
                request_id=event.request_id,
                traceparent=event.traceparent,
            ),
            self._tracer.start_as_current_span(
                f"process {event.topic}", origin, trace.SpanKind.CONSUMER, {"messaging.message.id": event.id}
            ),
            metrics.DURATION.labels(self._group, event.topic).time(),
        ):
            async with asyncio.timeout(self._timeout):
                await self._handler(connection, event)

    def committed(self, event: ReceivedEvent) -> None:
        """Tell whoever acts on what the handler wrote that it is there now."""
        lag = (datetime.now(UTC) - event.time).total_seconds()
        metrics.LAG.labels(self._group, event.topic).observe(max(0.0, lag))
        if self._committed is not None:
            self._committed()


class Handling:
    """Handles records of one consumer group, one after the other for each partition."""

    def __init__(  # noqa: PLR0913 - each is another thing it stands on
        self,
        group: str,
        effects: Effects,
        *,
        inbox: Inbox,
        parking: Parking,
        letters: DeadLetters,
        patience: Patience,
        at_once: int = 5,
        acts_on: Collection[str] | None = None,
    ) -> None:
        """`group` names the consumer in metrics; `at_once` bounds how many handlers run side by side.

        `acts_on`: types of the events that have an effect here; None for all. Others need no transaction.
        """
        self._group = group
        self._turn = asyncio.Semaphore(at_once)
        self._effects = effects
        self._inbox = inbox
        self._parking = parking
        self._letters = letters
        self._patience = patience
        self._acts_on = acts_on

    async def handle(self, record: Record, stop: asyncio.Event) -> None:
        """Bring the record to its end. Raises StoppedError if `stop` is set while it waits for another attempt."""
        tries = failures = 0
        while True:
            try:
                event = event_in(record)
                if self._acts_on is not None and event.type not in self._acts_on:
                    return metrics.CONSUMED.labels(self._group, record.topic, "ignored").inc()
                outcome = await self._take_effect(record, event)
            except Exception as fault:  # noqa: BLE001 - whatever a handler raises must not stop the partition
                tries += 1
                if await self._database_answers():
                    failures += 1
                    reason = self._given_up(fault, failures)
                    if reason is not None:
                        return await self._park(record, reason, describe(fault), stop)
                await self._wait(record, fault, tries, stop)
            else:
                if outcome is Taken.HELD_BACK:
                    return await self._park(record, Reason.HELD_BACK, "", stop)
                self._done(event, outcome)
                return None

    async def _take_effect(self, record: Record, event: ReceivedEvent) -> Taken:
        async with self._turn, self._inbox.transaction() as connection:
            taken = await self._inbox.take(connection, record, event.id)
            if taken is Taken.NEW:
                await self._effects.have(connection, event)
        return taken

    async def _park(self, record: Record, reason: Reason, error: str, stop: asyncio.Event) -> None:
        """Write the dead letter, then where it is; only then may the record's offset be committed."""
        tries = 0
        while True:
            try:
                letter = await self._letters.publish(record, reason, error)
                await self._parking.park(record, letter, reason, error)
            except Exception as fault:  # noqa: BLE001 - without a place to park it, the record can't be left
                tries += 1
                await self._wait(record, fault, tries, stop)
            else:
                break
        metrics.CONSUMED.labels(self._group, record.topic, "parked").inc()
        log = _log.info if reason is Reason.HELD_BACK else _log.error
        log("event parked", topic=record.topic, position=record.position, reason=reason, error=error)

    async def _database_answers(self) -> bool:
        try:
            async with asyncio.timeout(_PING_SECONDS):
                await self._inbox.ping()
        except Exception:  # noqa: BLE001 - however it fails, the database can't be used
            return False
        return True

    def _given_up(self, fault: Exception, failures: int) -> Reason | None:
        if isinstance(fault, UndecodableError):
            return Reason.UNDECODABLE
        if not isinstance(fault, TRANSIENT):
            return Reason.REFUSED
        return Reason.RETRIES_EXHAUSTED if failures >= self._patience.attempts else None

    async def _wait(self, record: Record, fault: Exception, tries: int, stop: asyncio.Event) -> None:
        pause = self._patience.pause(tries)
        metrics.RETRIED.labels(self._group, record.topic).inc()
        _log.warning(
            "event not handled yet",
            topic=record.topic,
            position=record.position,
            tries=tries,
            again_in_seconds=round(pause, 3),
            error=describe(fault),
        )
        try:
            await asyncio.wait_for(stop.wait(), pause)
        except TimeoutError:
            return
        raise StoppedError

    def _done(self, event: ReceivedEvent, outcome: Taken) -> None:
        handled = outcome is Taken.NEW
        metrics.CONSUMED.labels(self._group, event.topic, "handled" if handled else "duplicate").inc()
        if handled:
            self._effects.committed(event)


def describe(fault: BaseException) -> str:
    """Name an error for logs and headers: its type and its first line, which has no data of the event in it."""
    first = str(fault).partition("\n")[0]
    return f"{type(fault).__name__}: {first}"
