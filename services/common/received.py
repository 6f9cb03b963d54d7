"""What a consumer is handed: a record as Kafka keeps it, and the event in it (CloudEvents binary mode)."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeVar

from google.protobuf.message import DecodeError, Message

M = TypeVar("M", bound=Message)
MessageType = type[M]
"""A generated message class."""


class UndecodableError(Exception):
    """The record is no event of ours; no retry will change that."""


@dataclass(frozen=True, slots=True)
class Record:
    """A record of a topic. Records of one key are in one partition, in the order they happened."""

    topic: str
    partition: int
    offset: int
    key: bytes
    value: bytes = field(repr=False)
    headers: Mapping[str, bytes]

    @property
    def position(self) -> str:
        """Where it is: `<partition>:<offset>`."""
        return f"{self.partition}:{self.offset}"


@dataclass(frozen=True, slots=True)
class ReceivedEvent:
    """An event.

    `id` is the same on every delivery; `sequence` counts the events of `subject`, the aggregate.
    """

    id: str
    type: str
    subject: str
    sequence: int
    source: str
    time: datetime
    request_id: str
    actor: str
    traceparent: str
    topic: str
    payload: bytes = field(repr=False)

    def message(self, kind: MessageType[M]) -> M:
        """Parse the payload. Raises UndecodableError when it is no such message."""
        if kind.DESCRIPTOR.full_name != self.type:
            raise UndecodableError(f"event {self.id} is a {self.type}, not a {kind.DESCRIPTOR.full_name}")
        try:
            return kind.FromString(self.payload)
        except DecodeError as fault:
            raise UndecodableError(f"event {self.id} does not parse as {self.type}: {fault}") from fault


def event_in(record: Record) -> ReceivedEvent:
    """Read the event that a record carries. Raises UndecodableError that names the header that is wrong."""
    return ReceivedEvent(
        id=_uuid(record, "ce_id"),
        type=_text(record, "ce_type"),
        subject=_text(record, "ce_subject"),
        sequence=_integer(record, "ce_sequence"),
        source=_text(record, "ce_source", ""),
        time=_time(record, "ce_time"),
        request_id=_text(record, "ce_requestid", ""),
        actor=_text(record, "ce_actor", ""),
        traceparent=_text(record, "traceparent", ""),
        topic=record.topic,
        payload=record.value,
    )


def _text(record: Record, name: str, default: str | None = None) -> str:
    value = record.headers.get(name, b"")
    if not value and default is not None:
        return default
    if not value:
        raise UndecodableError(f"header {name} is missing")
    try:
        return value.decode()
    except UnicodeDecodeError as fault:
        raise UndecodableError(f"header {name} is not UTF-8") from fault


def _uuid(record: Record, name: str) -> str:
    text = _text(record, name)
    try:
        return str(uuid.UUID(text))
    except ValueError as fault:
        raise UndecodableError(f"header {name} is {text!r}, not a UUID") from fault


def _integer(record: Record, name: str) -> int:
    text = _text(record, name)
    try:
        return int(text)
    except ValueError as fault:
        raise UndecodableError(f"header {name} is {text!r}, not a number") from fault


def _time(record: Record, name: str) -> datetime:
    text = _text(record, name)
    try:
        time = datetime.fromisoformat(text)
    except ValueError as fault:
        raise UndecodableError(f"header {name} is {text!r}, not a time of RFC 3339") from fault
    return time if time.tzinfo else time.replace(tzinfo=UTC)
