"""The stack's Kafka, with topics that come and go with a test."""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from secrets import token_hex

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined] # it does not say what it exports
    AclOperation,
    AdminClient,
    NewTopic,
    ResourcePatternType,
    ResourceType,
)

from deploy.native.provision import kafka_access, kafka_clients
from deploy.native.runtime import Runtime
from services.common.dead_letter_topic import SUFFIX
from services.common.kafka import record_of
from services.common.received import Record

USER = "tests"
# What the tests call their topics and groups; the group of the guide begins with the name of its user.
PREFIX = "test"
# After a broker was away, it is looked for again at once.
QUICK: dict[str, str | int | float | bool] = {
    "client.id": USER,
    "reconnect.backoff.max.ms": 500,
    "metadata.recovery.strategy": "rebootstrap",
    "log_level": 3,
}
REQUEST_S = 60.0
POLL_S = 0.1
MAX_MESSAGE_BYTES = 8 * 1024 * 1024


class Broker:
    """What tests do to topics, and see in them."""

    def __init__(self, runtime: Runtime) -> None:
        """`runtime`: the stack whose broker it is."""
        self._config = {**kafka_clients.as_provisioning(runtime), **QUICK}
        self.client = kafka_clients.with_password(runtime, USER, token_hex(16))
        self.settings = {
            "kafka_bootstrap": self.client["bootstrap.servers"],
            "kafka_ca": self.client["ssl.ca.location"],
            "kafka_user": USER,
            "kafka_password": self.client["sasl.password"],
        }
        self._admin = AdminClient(self._config)
        # Idempotent, or what is sent again would come after what was sent later.
        reliable = {"enable.idempotence": True, "message.max.bytes": MAX_MESSAGE_BYTES}
        self._producer = Producer({**self._config, **reliable})
        self._admit()

    def _admit(self) -> None:
        """Let the tests' consumers in: to topics and groups that are called as theirs are, and nothing else."""
        kafka_access.set_passwords(self._admin, {USER: self.client["sasl.password"]})
        allowed = (
            (ResourceType.TOPIC, AclOperation.READ),
            (ResourceType.TOPIC, AclOperation.WRITE),
            (ResourceType.GROUP, AclOperation.READ),
        )
        wanted = {
            kafka_access.Right(USER, kind, PREFIX, ResourcePatternType.PREFIXED, operation)
            for kind, operation in allowed
        }
        kafka_access.set_rights(self._admin, wanted, set())

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
        with self._reader() as reader:
            places = self._places(topic)
            left = sum(reader.get_watermark_offsets(place, timeout=REQUEST_S)[1] for place in places)
            reader.assign(places)
            found: list[Record] = []
            while len(found) < left:
                found += [record_of(each) for each in reader.consume(left, POLL_S) if each.error() is None]
        return sorted(found, key=lambda record: (record.partition, record.offset))

    def ends(self, topic: str) -> list[TopicPartition]:
        """Where each partition ends now."""
        with self._reader() as reader:
            ends = (reader.get_watermark_offsets(place, timeout=REQUEST_S)[1] for place in self._places(topic))
            return [TopicPartition(topic, number, end) for number, end in enumerate(ends)]

    def follow(self, places: list[TopicPartition], keys: set[bytes], count: int) -> list[Record]:
        """Wait for so many records of some keys, from these places on."""
        found: list[Record] = []
        end = time.monotonic() + REQUEST_S
        with self._reader() as reader:
            reader.assign(places)
            while len(found) < count:
                assert time.monotonic() < end, f"after {REQUEST_S:g} s there are only {found}"
                come = [record_of(each) for each in reader.consume(100, POLL_S) if each.error() is None]
                found += [record for record in come if record.key in keys]
        return found

    def committed(self, group: str, topic: str) -> int:
        """How many events of a topic the group has told Kafka it is through with."""
        # Not by AdminClient.list_consumer_group_offsets: while a broker starts, librdkafka 2.16 crashes in it.
        with self._reader(group) as reader:
            return sum(max(0, each.offset) for each in reader.committed(self._places(topic), timeout=REQUEST_S))

    def members(self, group: str) -> set[str]:
        """Name the members of a group that have partitions."""
        told = self._admin.describe_consumer_groups([group], request_timeout=REQUEST_S)[group].result(REQUEST_S)
        return {each.group_instance_id for each in told.members if each.assignment.topic_partitions}

    @contextmanager
    def _reader(self, group: str = "tests") -> Iterator[Consumer]:
        consumer = Consumer({**self._config, "group.id": group, "enable.auto.commit": False})
        try:
            yield consumer
        finally:
            consumer.close()

    def _places(self, topic: str) -> list[TopicPartition]:
        numbers = sorted(self._admin.list_topics(topic, timeout=REQUEST_S).topics[topic].partitions)
        return [TopicPartition(topic, number, 0) for number in numbers]
