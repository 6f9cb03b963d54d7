"""Events that have not taken effect yet: those that failed, and those of the same key held back behind them.

The events themselves are in the dead-letter topic; here stands where, and in which order. The parked events of a key
are a queue: what comes under that key joins its end, and when the first is through, the next has its turn. So order
per key holds although one failed, and the key is free again in the very commit that ends the queue.
"""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from services.common.database import Connection, Database, Row
from services.common.received import Record

_COLUMNS = """
id, topic, key, partition, "offset", dead_letter_partition, dead_letter_offset, state, reason, error,
parked_at
"""
_PARK = """
INSERT INTO parked_events (consumer, topic, key, partition, "offset", dead_letter_partition,
                           dead_letter_offset, state, reason, error)
VALUES (%(consumer)s, %(topic)s, %(key)s, %(partition)s, %(offset)s, %(dead_letter_partition)s,
        %(dead_letter_offset)s, %(state)s, %(reason)s, %(error)s)
ON CONFLICT (consumer, topic, partition, "offset") DO NOTHING
"""
_NEXT = f"""
SELECT {_COLUMNS} FROM parked_events AS this
WHERE consumer = %(consumer)s AND state = 'WAITING' AND NOT EXISTS (
    SELECT FROM parked_events AS earlier
    WHERE earlier.consumer = this.consumer AND earlier.topic = this.topic AND earlier.key = this.key
      AND earlier.id < this.id
)
ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED
"""  # noqa: S608 - constants only
_LIST = f"""
SELECT {_COLUMNS} FROM parked_events
WHERE consumer = %(consumer)s AND (CAST(%(topic)s AS text) IS NULL OR topic = %(topic)s) ORDER BY id
"""  # noqa: S608 - constants only
_REPLAY = """
UPDATE parked_events SET state = 'WAITING'
WHERE consumer = %(consumer)s AND topic = %(topic)s AND state = 'FAILED'
  AND (CAST(%(id)s AS bigint) IS NULL OR id = %(id)s)
"""
_FAIL = "UPDATE parked_events SET state = 'FAILED', reason = %(reason)s, error = %(error)s WHERE id = %(id)s"
_REMOVE = "DELETE FROM parked_events WHERE id = %(id)s"
# In the inbox, it counts as handled: copies of it that come later, or wait already, have no effect either.
_DISCARD = """
WITH gone AS (
    DELETE FROM parked_events WHERE consumer = %(consumer)s AND topic = %(topic)s AND id = %(id)s RETURNING consumer
), known AS (
    INSERT INTO inbox (consumer, event_id)
    SELECT consumer, CAST(%(event_id)s AS uuid) FROM gone WHERE CAST(%(event_id)s AS uuid) IS NOT NULL
    ON CONFLICT DO NOTHING
)
SELECT count(*) FROM gone
"""
_COUNT = """
SELECT count(*) FILTER (WHERE state = 'FAILED') AS failed, count(*) FILTER (WHERE state = 'WAITING') AS waiting
FROM parked_events WHERE consumer = %(consumer)s
"""


class State(StrEnum):
    """What a parked event waits for."""

    FAILED = "FAILED"
    """Somebody who has it replayed, or discards it."""

    WAITING = "WAITING"
    """Its turn: the consumer handles it as soon as it is the first of its key."""


class Reason(StrEnum):
    """Why an event is parked; the header `dlq_reason`."""

    UNDECODABLE = "UNDECODABLE"
    """It is no event of ours."""

    REFUSED = "REFUSED"
    """The handler raised what no retry can mend."""

    RETRIES_EXHAUSTED = "RETRIES_EXHAUSTED"
    """The handler kept failing."""

    HELD_BACK = "HELD_BACK"
    """Nothing is wrong with it, but an earlier one of its key is parked."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """Where a record is in the dead-letter topic of its topic."""

    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class ParkedEvent:
    """An event that has not taken effect yet, and where it came from."""

    id: int
    topic: str
    key: bytes
    partition: int
    offset: int
    dead_letter: DeadLetter
    state: State
    reason: Reason
    error: str
    parked_at: datetime


class ParkedEvents:
    """The parked events of one consumer group."""

    def __init__(self, database: Database, consumer: str) -> None:
        """`database`: of the service that consumes. `consumer`: the group."""
        self._database = database
        self._consumer = consumer

    def transaction(self) -> AbstractAsyncContextManager[Connection]:
        """Open the transaction in which a parked event is handled."""
        return self._database.transaction()

    async def park(self, record: Record, letter: DeadLetter, reason: Reason, error: str) -> None:
        """Commit that the record waits in the dead-letter topic; once for each record."""
        parameters = {
            "consumer": self._consumer,
            "topic": record.topic,
            "key": record.key,
            "partition": record.partition,
            "offset": record.offset,
            "dead_letter_partition": letter.partition,
            "dead_letter_offset": letter.offset,
            "state": State.WAITING if reason is Reason.HELD_BACK else State.FAILED,
            "reason": reason,
            "error": error,
        }
        await self._database.run(_PARK, parameters)

    async def next(self, connection: Connection) -> ParkedEvent | None:
        """Lock an event whose turn has come, for this transaction; none that another process has locked."""
        row = await connection.row(_NEXT, {"consumer": self._consumer})
        return None if row is None else _event(row)

    async def remove(self, connection: Connection, event: ParkedEvent) -> None:
        """Take it off the queue, in the transaction of its effect."""
        await connection.run(_REMOVE, {"id": event.id})

    async def fail(self, event: ParkedEvent, reason: Reason, error: str) -> None:
        """Commit that it failed again."""
        await self._database.run(_FAIL, {"id": event.id, "reason": reason, "error": error})

    async def list(self, topic: str | None = None) -> Sequence[ParkedEvent]:
        """All that are parked, of one topic or of all, oldest first."""
        rows = await self._database.rows(_LIST, {"consumer": self._consumer, "topic": topic})
        return [_event(row) for row in rows]

    async def replay(self, topic: str, event_id: int | None) -> int:
        """Have the failed ones of the topic, or only one, handled again. Returns how many."""
        parameters = {"consumer": self._consumer, "topic": topic, "id": event_id}
        return await self._database.run(_REPLAY, parameters)

    async def discard(self, event: ParkedEvent, event_id: str | None) -> int:
        """Give one up for good; what waits behind it goes on. Returns how many there were.

        `event_id` is the event's own, by which its copies are known; None if it says none.
        """
        parameters = {"consumer": self._consumer, "topic": event.topic, "id": event.id, "event_id": event_id}
        return int((await self._database.row(_DISCARD, parameters)).count)

    async def count(self) -> tuple[int, int]:
        """How many there are that failed, and that wait."""
        row = await self._database.row(_COUNT, {"consumer": self._consumer})
        return row.failed, row.waiting


def _event(row: Row) -> ParkedEvent:
    return ParkedEvent(
        id=row.id,
        topic=row.topic,
        key=bytes(row.key),
        partition=row.partition,
        offset=row.offset,
        dead_letter=DeadLetter(row.dead_letter_partition, row.dead_letter_offset),
        state=State(row.state),
        reason=Reason(row.reason),
        error=row.error,
        parked_at=row.parked_at,
    )
