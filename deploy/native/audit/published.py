"""Whether Kafka has exactly the events that the tables have, as far back as topics go."""

import datetime as dt
from collections.abc import Iterator

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


def differences(runtime: Runtime) -> Iterator[Difference]:
    """Compare by id, for every service. Raises StackError when Kafka is away."""
    since = dt.datetime.now(dt.UTC) - dt.timedelta(days=runtime.topology.topics.retention_days) + MARGIN
    for service, topology in runtime.topology.services.items():
        told = _told(runtime, topology.events_topic)
        with books.reading(runtime, service) as connection:
            kept = {row[0]: row[1] for row in connection.execute(_SINCE, (since,))}
            # The others may be older.
            strange = told - kept.keys()
            known = {row[0] for row in connection.execute(_KNOWN, (list(strange),))}
        for missing in kept.keys() - told:
            yield Difference("event", missing, f"{kept[missing]} is not in {topology.events_topic}")
        for unknown in strange - known:
            yield Difference("event", unknown, f"is in {topology.events_topic} and not in the table of {service}")


def _told(runtime: Runtime, topic: str) -> set[str]:
    try:
        return event_log.ids(as_operator(runtime), topic)
    except (KafkaException, event_log.UnknownTopic, TimeoutError) as error:
        raise StackError(f"{topic} can't be read: {error}") from error
