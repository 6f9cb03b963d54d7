"""Topics: of each service's events, their dead letters and its tables, and those of Debezium's heartbeats."""

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from confluent_kafka import KafkaException
from confluent_kafka.admin import (  # type: ignore[attr-defined] # it does not say what it exports
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    ResourceType,
)

from deploy.native.provision import kafka_clients
from deploy.native.provision.kafka_access import HEARTBEATS
from deploy.native.provision.summary import summary
from deploy.native.provision.waiting import wait_for
from deploy.native.runtime import Runtime

REQUEST_TIMEOUT_S = 10
# A message that failed waits for a person, so it stays longer than the events themselves.
DEAD_LETTER_RETENTION_FACTOR = 4
# An event too large for its topic would stop all that come after it. gRPC takes no message above 4 MiB, so no service
# can be asked to write one of twice that.
MAX_MESSAGE_BYTES = 8 * 1024 * 1024
HEARTBEAT_RETENTION = dt.timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic as it should be."""

    name: str
    partitions: int
    retention: dt.timedelta
    compacted: bool = False

    @property
    def config(self) -> Mapping[str, str]:
        """The settings that are kept as they are here."""
        milliseconds = self.retention // dt.timedelta(milliseconds=1)
        return {
            "cleanup.policy": "compact" if self.compacted else "delete",
            "max.message.bytes": str(MAX_MESSAGE_BYTES),
            "retention.ms": str(milliseconds),
        }


def topics(runtime: Runtime) -> str:
    """Create the topics that are missing and set back settings that drifted.

    Partitions are never added to an existing topic: that would send a key's later events to another
    partition and lose their order. The summary says so instead.
    """
    admin = AdminClient({**kafka_clients.as_provisioning(runtime), "log_level": 2})
    existing = wait_for("Kafka", lambda: _partitions(admin), errors=(KafkaException,))
    every = tuple(wanted(runtime))
    missing = [topic for topic in every if topic.name not in existing]
    kept = [topic for topic in every if topic.name in existing]
    _create(admin, missing)
    changes = [f"{len(missing)} topics created"] if missing else []
    changes += _correct(admin, kept)
    changes += [
        f"WARNING: {topic.name} has {existing[topic.name]} partitions, not {topic.partitions}"
        for topic in kept
        if existing[topic.name] != topic.partitions
    ]
    return summary("topics", changes)


def heartbeat_topic(service: str) -> str:
    """Name of the topic on which Debezium tells that a service's connector lives."""
    return f"{HEARTBEATS}{service}"


def wanted(runtime: Runtime) -> Iterator[Topic]:
    """List the topics of a stack."""
    settings = runtime.topology.topics
    retention = dt.timedelta(days=settings.retention_days)
    for name, service in runtime.topology.services.items():
        yield Topic(service.events_topic, settings.partitions, retention)
        yield Topic(
            f"{service.events_topic}{settings.dead_letter_suffix}",
            partitions=1,
            retention=retention * DEAD_LETTER_RETENTION_FACTOR,
        )
        yield Topic(heartbeat_topic(name), partitions=1, retention=HEARTBEAT_RETENTION)
        for table, streamed in service.tables.items():
            yield Topic(streamed.topic, settings.partitions, retention, compacted=True)
            yield Topic(heartbeat_topic(f"{name}-{table}"), partitions=1, retention=HEARTBEAT_RETENTION)


def _partitions(admin: AdminClient) -> dict[str, int]:
    metadata = admin.list_topics(timeout=REQUEST_TIMEOUT_S)
    return {name: len(topic.partitions) for name, topic in metadata.topics.items()}


def _create(admin: AdminClient, missing: list[Topic]) -> None:
    if not missing:
        return
    new = [
        NewTopic(topic.name, num_partitions=topic.partitions, replication_factor=1, config=dict(topic.config))
        for topic in missing
    ]
    for done in admin.create_topics(new, operation_timeout=REQUEST_TIMEOUT_S).values():
        done.result()


def _correct(admin: AdminClient, kept: list[Topic]) -> list[str]:
    if not kept:
        return []
    resources = [ConfigResource(ResourceType.TOPIC, topic.name) for topic in kept]
    found = {resource.name: done.result() for resource, done in admin.describe_configs(resources).items()}
    drifted = {
        topic.name: changed
        for topic in kept
        if (changed := {k: v for k, v in topic.config.items() if found[topic.name][k].value != v})
    }
    if drifted:
        for done in admin.incremental_alter_configs(list(map(_alteration, drifted.items()))).values():
            done.result()
    return [f"{name} set to {', '.join(map('='.join, changed.items()))}" for name, changed in drifted.items()]


def _alteration(drift: tuple[str, Mapping[str, str]]) -> ConfigResource:
    name, changed = drift
    entries = [ConfigEntry(key, value, incremental_operation=AlterConfigOpType.SET) for key, value in changed.items()]
    return ConfigResource(ResourceType.TOPIC, name, incremental_configs=entries)
