"""The `events` table of a service: audit trail, source of state and outbox at once.

A row is written in the transaction of the change it tells of. Debezium reads it from the WAL and routes it to Kafka;
no service ever sends an event itself.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from google.protobuf.message import Message

from mesh import context
from services.common.connection import Connection

_COLUMNS = "aggregate_type, aggregate_id, sequence, type, payload, traceparent, actor, request_id"
_VALUES = """
    CAST(%(event_aggregate_type)s AS text), CAST(%(event_aggregate_id)s AS text), CAST(%(event_sequence)s AS bigint),
    CAST(%(event_type)s AS text), CAST(%(event_payload)s AS bytea), CAST(%(event_traceparent)s AS text),
    CAST(%(event_actor)s AS text), CAST(%(event_request_id)s AS text)
"""
_APPEND = f"INSERT INTO events ({_COLUMNS}) VALUES ({_VALUES})"  # noqa: S608 - constants only
_READ = """
SELECT id::text, sequence, type, payload, actor, request_id, occurred_at FROM events
WHERE aggregate_id = %(aggregate_id)s AND sequence > %(after)s ORDER BY sequence LIMIT %(limit)s
"""


@dataclass(frozen=True, slots=True)
class EventRecord:
    """An event to be written. `sequence` counts the events of the aggregate from 1; no two can be the same."""

    aggregate_type: str
    aggregate_id: str
    sequence: int
    message: Message


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event as it was written. `type` is the full name of the message in `payload`."""

    id: str
    sequence: int
    type: str
    payload: bytes
    actor: str
    request_id: str | None
    occurred_at: datetime


def parameters(record: EventRecord) -> dict[str, Any]:
    """Give the values that `insert_from` asks for: the event, and of the present call who caused it."""
    call = context.current()
    return {
        "event_aggregate_type": record.aggregate_type,
        "event_aggregate_id": record.aggregate_id,
        "event_sequence": record.sequence,
        "event_type": record.message.DESCRIPTOR.full_name,
        "event_payload": record.message.SerializeToString(deterministic=True),
        "event_traceparent": call.traceparent or None,
        "event_actor": call.caller.actor,
        "event_request_id": call.request_id or None,
    }


def insert_from(cte: str) -> str:
    """Write the INSERT for a statement that changes a row and appends its event at once.

    One event for each row of `cte`, which has one, or none when nothing was changed.
    """
    return f"INSERT INTO events ({_COLUMNS}) SELECT {_VALUES} FROM {cte}"  # noqa: S608 - constants only


async def append(connection: Connection, record: EventRecord) -> None:
    """Write an event in the transaction of `connection`."""
    await connection.run(_APPEND, parameters(record))


async def read(connection: Connection, aggregate_id: str, *, after: int, limit: int) -> list[StoredEvent]:
    """Read the events of an aggregate after a sequence number, oldest first."""
    rows = await connection.rows(_READ, {"aggregate_id": aggregate_id, "after": after, "limit": limit})
    return [StoredEvent(*row) for row in rows]
