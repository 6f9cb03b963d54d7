"""The stack's Kafka, with topics that come and go with a test."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined] # it does not say what it exports

from services.common.dead_letter_topic import SUFFIX
from services.common.kafka import client_config, record_of
from services.common.received import Record

REQUEST_S = 60.0
POLL_S = 0.1
MAX_MESSAGE_BYTES = 8 * 1024 * 1024


class Broker:
    """What tests do to topics, and see in them."""

    def __init__(self, bootstrap: str) -> None:
        """`bootstrap`: where the broker is."""
        self.bootstrap = bootstrap
        self._config = client_config(bootstrap, "tests")
        self._admin = AdminClient(self._config)
        # Idempotent, or what is sent again would come after what was sent later.
        reliable = {"enable.idempotence": True, "message.max.bytes": MAX_MESSAGE_BYTES}
        self._producer = Producer({**self._config, **reliable})

    @contextmanager
    def topic(self, name: str, partitions: int) -> Iterator[str]:
        """Have a topic, and the one for its dead letters."""
        self.create(name, partitions)
        try:
            yield name
        finally:
            self._admin.delete_topics([name, f"{name}{SUFFIX}"], request_timeout=REQUEST_S)

    def create(self, name: str, partitions: int) -> None:
        """Make a topic as `make up` makes them, and the one for its dead letters."""
        config = {"max.message.bytes": str(MAX_MESSAGE_BYTES)}
        new = [
            NewTopic(topic, num_partitions=count, replication_factor=1, config=config)
            for topic, count in ((name, partitions), (f"{name}{SUFFIX}", 1))
        ]
        for done in self._admin.create_topics(new).values():
            done.result(REQUEST_S)

    def send(self, records: Iterable[Record]) -> None:
        """Write records where they say they are, as far as the partition, and wait until they are there."""
        for record in records:
            self._producer.produce(
                record.topic,
                key=record.key,
                value=record.value,
                partition=record.partition,
                headers=list(record.headers.items()),
            )
        assert self._producer.flush(REQUEST_S) == 0

    def records(self, topic: str) -> list[Record]:
        """Read all there is, partition by partition."""
        consumer = Consumer({**self._config, "group.id": "tests", "enable.partition.eof": True})
        try:
            places = [TopicPartition(topic, number, 0) for number in self._partitions(topic)]
            left = sum(consumer.get_watermark_offsets(place, timeout=REQUEST_S)[1] for place in places)
            consumer.assign(places)
            found: list[Record] = []
            while len(found) < left:
                found += [record_of(each) for each in consumer.consume(left, POLL_S) if each.error() is None]
        finally:
            consumer.close()
        return sorted(found, key=lambda record: (record.partition, record.offset))

    def end(self, topic: str) -> int:
        """Count what a topic has in all of its partitions."""
        return len(self.records(topic))

    def committed(self, group: str, topic: str) -> int:
        """How many events of a topic the group has told Kafka it is through with."""
        # Not by AdminClient.list_consumer_group_offsets: while a broker starts, librdkafka 2.16 crashes in it.
        asking = Consumer({**self._config, "group.id": group})
        try:
            places = [TopicPartition(topic, number) for number in self._partitions(topic)]
            return sum(max(0, place.offset) for place in asking.committed(places, timeout=REQUEST_S))
        finally:
            asking.close()

    def _partitions(self, topic: str) -> list[int]:
        return sorted(self._admin.list_topics(topic, timeout=REQUEST_S).topics[topic].partitions)
