"""Whether Kafka has exactly the events that the tables have, as far back as topics go."""

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from confluent_kafka import KafkaException

from deploy.native import event_log
from deploy.native.audit import books
from deploy.native.audit.rules import Difference
from deploy.native.errors import StackError
from deploy.native.provision.kafka_clients import as_operator
from deploy.native.runtime import Runtime

# Kafka removes what is too old by whole segments, some time later.
MARGIN = dt.timedelta(days=1)

_SINCE = "SELECT id::text, type FROM events WHERE occurred_at > %s"
_KNOWN = "SELECT id::text FROM events WHERE id = ANY(%s::uuid[])"


@dataclass(frozen=True, slots=True)
class Comparison:
    """A service's table and its topic, beside each other."""

    topic: str
    missing: Mapping[str, str]
    """Events that the topic does not have: their types, by id."""
    unknown: frozenset[str]
    """Ids in the topic that the table does not have."""


def differences(runtime: Runtime) -> Iterator[Difference]:
    """Compare by id, for every service. Raises StackError when Kafka is away."""
    for service in runtime.topology.services:
        found = compare(runtime, service)
        for event_id, kind in found.missing.items():
            yield Difference("event", event_id, f"{kind} is not in {found.topic}; make republish s={service}")
        for event_id in found.unknown:
            yield Difference("event", event_id, f"is in {found.topic} and not in the table of {service}")


def compare(runtime: Runtime, service: str) -> Comparison:
    """Compare a service's events by id. Raises StackError when Kafka is away."""
    topics = runtime.topology.topics
    since = dt.datetime.now(dt.UTC) - dt.timedelta(days=topics.retention_days) + MARGIN
    topic = runtime.topology.services[service].events_topic
    told = _told(runtime, topic)
    with books.reading(runtime, service) as connection:
        kept = {row[0]: row[1] for row in connection.execute(_SINCE, (since,))}
        # The others may be older.
        strange = told - kept.keys()
        known = {row[0] for row in connection.execute(_KNOWN, (list(strange),))}
    missing = {event_id: kind for event_id, kind in kept.items() if event_id not in told}
    return Comparison(topic, missing, frozenset(strange - known))


def _told(runtime: Runtime, topic: str) -> set[str]:
    try:
        return event_log.ids(as_operator(runtime), topic)
    except (KafkaException, event_log.UnknownTopic, TimeoutError) as error:
        raise StackError(f"{topic} can't be read: {error}") from error
