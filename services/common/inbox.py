"""What a consumer remembers: the events that took effect, so that each does so once however often it comes.

An event's inbox row and its effect are one commit.
"""

from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from enum import StrEnum

from services.common.database import Connection, Database
from services.common.received import Record

INBOX_TABLES = """
CREATE TABLE inbox (
    consumer text NOT NULL,
    event_id uuid NOT NULL,
    handled_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (consumer, event_id)
);
CREATE INDEX inbox_by_age ON inbox (handled_at);

-- Where in the dead-letter topic the events are that failed, and those held back behind them. See parked.py.
CREATE TABLE parked_events (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    consumer text NOT NULL,
    topic text NOT NULL,
    key bytea NOT NULL,
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    dead_letter_partition integer NOT NULL,
    dead_letter_offset bigint NOT NULL,
    state text NOT NULL CHECK (state IN ('FAILED', 'WAITING')),
    reason text NOT NULL,
    error text NOT NULL DEFAULT '',
    parked_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (consumer, topic, partition, "offset")
);
CREATE INDEX parked_events_by_key ON parked_events (consumer, topic, key, id);
"""
"""What `services.common.schema.create_inbox` creates in the database of a service that consumes events."""

INBOX_GRANTS = {
    "inbox": "SELECT, INSERT, DELETE",
    "parked_events": "SELECT, INSERT, UPDATE, DELETE",
}
"""What the service's own role may do with each of them."""

_TAKE = """
WITH ahead AS (
    SELECT EXISTS (
        SELECT FROM parked_events WHERE consumer = %(consumer)s AND topic = %(topic)s AND key = %(key)s
    ) AS parked
), taken AS (
    INSERT INTO inbox (consumer, event_id)
    SELECT %(consumer)s, CAST(%(event_id)s AS uuid) FROM ahead WHERE NOT parked
    ON CONFLICT DO NOTHING RETURNING event_id
)
SELECT EXISTS (SELECT FROM taken) AS taken,
       parked AND NOT EXISTS (
           SELECT FROM inbox WHERE consumer = %(consumer)s AND event_id = CAST(%(event_id)s AS uuid)
       ) AS held_back
FROM ahead
"""
_TAKE_PARKED = """
INSERT INTO inbox (consumer, event_id) VALUES (%(consumer)s, CAST(%(event_id)s AS uuid))
ON CONFLICT DO NOTHING RETURNING event_id
"""
_PRUNE = """
DELETE FROM inbox WHERE (consumer, event_id) IN (
    SELECT consumer, event_id FROM inbox
    WHERE consumer = %(consumer)s AND handled_at < now() - CAST(%(age)s AS interval)
    LIMIT %(limit)s
)
"""


class Taken(StrEnum):
    """What is to be done with an event."""

    NEW = "NEW"
    """Handle it; its inbox row is in the transaction."""

    DUPLICATE = "DUPLICATE"
    """Nothing: it took effect before."""

    HELD_BACK = "HELD_BACK"
    """Park it: an earlier one of its key is parked."""


class Inbox:
    """The inbox of one consumer group."""

    def __init__(self, database: Database, consumer: str) -> None:
        """`database`: where the effects go. `consumer`: the group."""
        self._database = database
        self._consumer = consumer

    def transaction(self) -> AbstractAsyncContextManager[Connection]:
        """Open the transaction for an event and its effect."""
        return self._database.transaction()

    async def ping(self) -> None:
        """Raise whatever is wrong when the database can't be reached."""
        await self._database.ping()

    async def take(self, connection: Connection, record: Record, event_id: str) -> Taken:
        """Note the event as handled, unless it was before, or has to wait behind another of its key."""
        parameters = {
            "consumer": self._consumer,
            "topic": record.topic,
            "key": record.key,
            "event_id": event_id,
        }
        row = await connection.row(_TAKE, parameters)
        if row.taken:
            return Taken.NEW
        return Taken.HELD_BACK if row.held_back else Taken.DUPLICATE

    async def take_parked(self, connection: Connection, event_id: str) -> Taken:
        """Note an event as handled whose turn has come; NEW or DUPLICATE."""
        parameters = {"consumer": self._consumer, "event_id": event_id}
        row = await connection.row(_TAKE_PARKED, parameters)
        return Taken.DUPLICATE if row is None else Taken.NEW

    async def prune(self, older_than: timedelta, limit: int) -> int:
        """Forget events handled longer ago than Kafka could bring them again. Returns how many, at most `limit`."""
        parameters = {"consumer": self._consumer, "age": older_than, "limit": limit}
        return await self._database.run(_PRUNE, parameters)
