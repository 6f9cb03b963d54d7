"""Reading events back from Kafka for people: from a chosen offset on, and decoded by the contract they name.

Nothing generated is imported: the message types come from build/descriptors.binpb, so that every event of
every contract can be shown.
"""

import datetime as dt
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory
from google.protobuf.message import DecodeError

POLL_S = 0.2
REQUEST_TIMEOUT_S = 10
# A consumer must name a group even though it never joins it nor commits.
GROUP = "people"


@dataclass(frozen=True, slots=True)
class Event:
    """One event as read; `body` is None when no contract knows its type or its bytes are no such message."""

    topic: str
    partition: int
    offset: int
    key: str
    headers: Mapping[str, str]
    body: Mapping[str, Any] | None
    size: int
    received_at: dt.datetime

    @property
    def name(self) -> str:
        """The message's name without its package, such as OrderConfirmed."""
        return self.headers.get("ce_type", "").rpartition(".")[2] or "(without a type)"

    @property
    def occurred_at(self) -> dt.datetime:
        """When the service recorded it, just before its commit; when it was read, if it does not say."""
        recorded = self.headers.get("ce_time")
        return dt.datetime.fromisoformat(recorded) if recorded else self.received_at


class Contracts:
    """Every message type of the contracts, by full name."""

    def __init__(self, descriptors: Path) -> None:
        """Read a serialized FileDescriptorSet. Raises FileNotFoundError before `make proto` has run."""
        self._pool = descriptor_pool.DescriptorPool()
        for file in descriptor_pb2.FileDescriptorSet.FromString(descriptors.read_bytes()).file:
            self._pool.Add(file)

    def decode(self, type_name: str, payload: bytes) -> Mapping[str, Any] | None:
        """Decode into proto3 JSON, or answer None for an unknown type or bytes that are no such message."""
        try:
            message_class = message_factory.GetMessageClass(self._pool.FindMessageTypeByName(type_name))
            message = message_class.FromString(payload)
        except (KeyError, DecodeError):
            return None
        body: Mapping[str, Any] = json_format.MessageToDict(message, descriptor_pool=self._pool)
        return body


def decode(message: Message, contracts: Contracts) -> Event:
    """Turn a Kafka message into the event it carries; headers without a value are left out."""
    headers = {name: value.decode() for name, value in message.headers() or () if value is not None}
    payload = message.value() or b""
    return Event(
        topic=message.topic() or "",
        partition=_number(message.partition()),
        offset=_number(message.offset()),
        key=(message.key() or b"").decode(),
        headers=headers,
        body=contracts.decode(headers.get("ce_type", ""), payload),
        size=len(payload),
        received_at=dt.datetime.now(dt.UTC),
    )


def positions(bootstrap: str, topics: Sequence[str], spec: OffsetSpec) -> list[TopicPartition]:
    """Find where each partition of `topics` begins or ends now. Raises KafkaException."""
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 2})
    known = admin.list_topics(timeout=REQUEST_TIMEOUT_S).topics
    asked = {
        TopicPartition(topic, partition): spec
        for topic in topics
        for partition in (known[topic].partitions if topic in known else ())
    }
    answers = admin.list_offsets(asked, request_timeout=REQUEST_TIMEOUT_S) if asked else {}
    return [
        TopicPartition(place.topic, place.partition, answer.result().offset)
        for place, answer in answers.items()
    ]


def follow(
    bootstrap: str, places: list[TopicPartition], contracts: Contracts, *, for_s: float | None = None
) -> Iterator[Event]:
    """Yield events from `places` on as they come, for `for_s` seconds or for ever.

    A broker that goes away is waited for: an error of the connection is not the end of the events.
    """
    deadline = None if for_s is None else time.monotonic() + for_s
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": GROUP,
            "enable.auto.commit": False,
            # librdkafka may otherwise sleep for 10 s after a restart of the broker.
            "reconnect.backoff.max.ms": 500,
            "log_level": 2,
        }
    )
    try:
        consumer.assign(places)
        while deadline is None or time.monotonic() < deadline:
            message = consumer.poll(POLL_S)
            # Not `if message`: a message with an empty value has a length of 0.
            if message is not None and message.error() is None:
                yield decode(message, contracts)
    finally:
        consumer.close()


def _number(value: int | None) -> int:
    return -1 if value is None else value


__all__ = ["Contracts", "Event", "KafkaException", "OffsetSpec", "decode", "follow", "positions"]
