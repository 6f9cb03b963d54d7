"""The dead-letter topics, `<topic>.dlq`: records that a consumer could not handle, as they came, and why.

The header names are public: tools other than ours may read them.
"""

import asyncio
import threading
import time
from datetime import UTC, datetime

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from mesh import errors
from services.common.kafka import client_config, record_of
from services.common.parked import DeadLetter, ParkedEvent, Reason
from services.common.received import Record
from services.common.settings import ServiceSettings

SUFFIX = ".dlq"
HEADER_PREFIX = "dlq_"
_CONFIRM_SECONDS = 5.0
_FETCH_SECONDS = 10.0
_LONGEST_ERROR = 2000
# Which records are too large is for the topic to say; the client's own limit of 1 MB would keep some here for ever.
_LARGEST_BYTES = 64 * 1024 * 1024


class LostError(Exception):
    """The dead letter is past the retention of its topic: discard the event."""


class DeadLetterTopic:
    """Writes and reads dead letters for one consumer group."""

    def __init__(self, settings: ServiceSettings, group: str) -> None:
        """`settings` say how to reach Kafka. `group`: the consumer group that could not handle the records."""
        self._config = client_config(settings, f"{group}-dead-letters")
        self._group = group
        self._producer: Producer | None = None
        self._opening = threading.Lock()

    async def publish(self, record: Record, reason: Reason, error: str) -> DeadLetter:
        """Copy the record there; return where it is once every replica has it. Raises Unavailable."""
        headers = {**record.headers, **self._headers(record, reason, error)}
        return await asyncio.to_thread(self._produce, record, list(headers.items()))

    async def fetch(self, event: ParkedEvent) -> Record:
        """Read a record back as it was in its own topic. Raises Unavailable, or LostError."""
        message = await asyncio.to_thread(self._read, f"{event.topic}{SUFFIX}", event.dead_letter)
        letter = record_of(message)
        headers = {name: value for name, value in letter.headers.items() if not name.startswith(HEADER_PREFIX)}
        return Record(event.topic, event.partition, event.offset, letter.key, letter.value, headers)

    def _headers(self, record: Record, reason: Reason, error: str) -> dict[str, bytes]:
        values = {
            "group": self._group,
            "reason": reason.value,
            "error": error[:_LONGEST_ERROR],
            "topic": record.topic,
            "partition": str(record.partition),
            "offset": str(record.offset),
            "time": datetime.now(UTC).isoformat(),
        }
        return {f"{HEADER_PREFIX}{name}": value.encode() for name, value in values.items()}

    def _produce(self, record: Record, headers: list[tuple[str, bytes]]) -> DeadLetter:
        reports: list[tuple[KafkaError | None, Message]] = []
        producer = self._opened()
        producer.produce(
            f"{record.topic}{SUFFIX}",
            key=record.key,
            value=record.value,
            headers=list(headers),
            on_delivery=lambda error, message: reports.append((error, message)),
        )
        # Another thread may be the one that is handed the report.
        end = time.monotonic() + _CONFIRM_SECONDS + 1
        while not reports and time.monotonic() < end:
            producer.poll(0.05)
        if not reports or reports[0][0] is not None:
            why = reports[0][0] if reports else "no answer"
            raise errors.Unavailable(f"{record.topic}{SUFFIX} did not take {record.position}: {why}")
        confirmed = reports[0][1]
        return DeadLetter(confirmed.partition() or 0, confirmed.offset() or 0)

    def _opened(self) -> Producer:
        """Return the producer, made when the first dead letter is written: most processes never write one."""
        with self._opening:
            if self._producer is None:
                self._producer = Producer(
                    {
                        **self._config,
                        "acks": "all",
                        "enable.idempotence": True,
                        "linger.ms": 0,
                        "message.max.bytes": _LARGEST_BYTES,
                        "delivery.timeout.ms": int(_CONFIRM_SECONDS * 1000),
                    }
                )
            return self._producer

    def _read(self, topic: str, letter: DeadLetter) -> Message:
        consumer = Consumer(
            {
                **self._config,
                "group.id": f"{self._group}-dead-letters",
                "enable.auto.commit": False,
                "auto.offset.reset": "error",
            }
        )
        try:
            consumer.assign([TopicPartition(topic, letter.partition, letter.offset)])
            message = consumer.poll(_FETCH_SECONDS)
        except KafkaException as fault:
            raise errors.Unavailable(f"{topic} can't be read: {fault}") from fault
        finally:
            consumer.close()
        return _checked(message, topic, letter)


def _checked(message: Message | None, topic: str, letter: DeadLetter) -> Message:
    error = message.error() if message else None
    if message is None or (error is not None and error.code() != KafkaError._AUTO_OFFSET_RESET):  # noqa: SLF001
        raise errors.Unavailable(f"{topic} can't be read: {error or 'no answer'}")
    if error is not None or message.offset() != letter.offset:
        raise LostError(f"{topic} has {letter.partition}:{letter.offset} no more; discard the event")
    return message
