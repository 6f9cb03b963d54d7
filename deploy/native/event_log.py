"""Reading events back from Kafka for people: from a chosen offset on, and decoded by the contract they name.

Nothing generated is imported: the message types come from build/descriptors.binpb, so that every event of
every contract can be shown.
"""

import datetime as dt
import itertools
import math
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, Consumer, Message, TopicPartition
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory
from google.protobuf.message import DecodeError

POLL_S = 0.2
REQUEST_TIMEOUT_S = 10
# A consumer must name a group even though it never joins it nor commits.
GROUP = "operator-events"


Client = Mapping[str, str]
"""How to reach the broker, and as whom."""


class UnknownTopic(Exception):
    """There is no topic of that name; `known` are those that hold events."""

    def __init__(self, known: Sequence[str]) -> None:
        """Leave out the topics that Kafka and Connect keep for themselves."""
        super().__init__()
        self.known = sorted(name for name in known if not name.startswith("_"))


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
    headers = {name: _text(value) for name, value in dict(message.headers() or ()).items() if value is not None}
    payload = message.value() or b""
    return Event(
        topic=message.topic() or "",
        partition=_number(message.partition()),
        offset=_number(message.offset()),
        key=_text(message.key() or b""),
        headers=headers,
        body=contracts.decode(headers.get("ce_type", ""), payload),
        size=len(payload),
        received_at=dt.datetime.now(dt.UTC),
    )


def tail(client: Client, topic: str, last: int) -> tuple[list[TopicPartition], list[TopicPartition]]:
    """Find the places `last` messages before the end of each partition, and those ends.

    Raises UnknownTopic, or KafkaException if the broker is away.
    """
    with _reader(client) as consumer:
        begin, end = [], []
        for place in _partitions(consumer, topic):
            low, high = consumer.get_watermark_offsets(place, timeout=REQUEST_TIMEOUT_S)
            begin.append(TopicPartition(topic, place.partition, max(high - last, low)))
            end.append(TopicPartition(topic, place.partition, high))
    return begin, end


def since(client: Client, topic: str, time: dt.datetime) -> list[TopicPartition]:
    """Find in each partition the first message that is not older than `time`, or the end.

    Raises UnknownTopic, or KafkaException if the broker is away.
    """
    milliseconds = int(time.timestamp() * 1000)
    with _reader(client) as consumer:
        asked = [TopicPartition(topic, place.partition, milliseconds) for place in _partitions(consumer, topic)]
        return consumer.offsets_for_times(asked, timeout=REQUEST_TIMEOUT_S)


def read(
    client: Client, begin: Sequence[TopicPartition], end: Sequence[TopicPartition], contracts: Contracts
) -> list[Event]:
    """Read what lies between `begin` and `end`, in the order it was recorded.

    Gives up waiting after REQUEST_TIMEOUT_S and answers with what it has by then.
    """
    starts = {(place.topic, place.partition): place.offset for place in begin}
    left = sum(place.offset - starts[place.topic, place.partition] for place in end)
    places = [place for place in begin if place.offset >= 0]
    arriving = follow(client, places, contracts, for_s=REQUEST_TIMEOUT_S) if left else iter(())
    return sorted(itertools.islice(arriving, left), key=lambda event: event.occurred_at)


def follow(
    client: Client,
    places: Sequence[TopicPartition],
    contracts: Contracts,
    *,
    for_s: float | None = None,
    until: threading.Event | None = None,
) -> Iterator[Event]:
    """Yield events from `places` on as they come, for `for_s` seconds, `until` something happens, or for ever.

    A broker that goes away is waited for: an error of the connection is not the end of the events.
    """
    deadline = math.inf if for_s is None else time.monotonic() + for_s
    with _reader(client) as consumer:
        consumer.assign(list(places))
        while time.monotonic() < deadline and not (until and until.is_set()):
            message = consumer.poll(POLL_S)
            # Not `if message`: a message with an empty value has a length of 0.
            if message is not None and message.error() is None:
                yield decode(message, contracts)


def ids(client: Client, topic: str) -> set[str]:
    """Read the id of every event of a topic, up to where it ends now.

    Raises UnknownTopic, TimeoutError when the broker stops answering, or KafkaException if it is away.
    """
    found: set[str] = set()
    with _reader(client) as consumer:
        ends = {}
        for place in _partitions(consumer, topic):
            low, high = consumer.get_watermark_offsets(place, timeout=REQUEST_TIMEOUT_S)
            if low < high:
                ends[place.partition] = high
        consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in ends])
        heard = time.monotonic()
        while ends:
            if time.monotonic() > heard + REQUEST_TIMEOUT_S:
                raise TimeoutError(f"{topic} says nothing for {REQUEST_TIMEOUT_S} s")
            message = consumer.poll(POLL_S)
            if message is None or message.error() is not None:
                continue
            heard, partition = time.monotonic(), _number(message.partition())
            if _number(message.offset()) + 1 >= ends.get(partition, 0):
                ends.pop(partition, None)
            found.add(_text(dict(message.headers() or ()).get("ce_id") or b""))
    return found


@contextmanager
def _reader(client: Client) -> Iterator[Consumer]:
    consumer = Consumer(
        {
            **client,
            "group.id": GROUP,
            "enable.auto.commit": False,
            # librdkafka may otherwise sleep for 10 s after a restart of the broker.
            "reconnect.backoff.max.ms": 500,
            "log_level": 2,
        }
    )
    try:
        yield consumer
    finally:
        consumer.close()


def _partitions(consumer: Consumer, topic: str) -> list[TopicPartition]:
    known = consumer.list_topics(timeout=REQUEST_TIMEOUT_S).topics
    if topic not in known:
        raise UnknownTopic(list(known))
    return [TopicPartition(topic, partition) for partition in sorted(known[topic].partitions)]


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode(errors="replace")


def _number(value: int | None) -> int:
    return -1 if value is None else value
