"""Who may do what on Kafka: as little as the topology lets them."""

from dataclasses import replace
from pathlib import Path

from confluent_kafka.admin import AclOperation, ResourceType  # type: ignore[attr-defined] # it does not say so

from deploy.native.provision.kafka_access import Right, rights
from deploy.native.runtime import Topology
from tests.unit.deploy.provision_examples import runtime_in


def topology(folder: Path) -> Topology:
    """The real one, and a consumer of another team."""
    return replace(runtime_in(folder).topology, consumers={"analytics": ("order-events",)})


def of(user: str, folder: Path) -> set[tuple[ResourceType, str, AclOperation]]:
    """List what a user may do."""
    return {(right.kind, right.name, right.operation) for right in rights(topology(folder)) if right.user == user}


def test_a_service_reads_what_it_consumes_and_writes_dead_letters_of_that_only(tmp_path: Path) -> None:
    """In groups of its own."""
    topic, group = ResourceType.TOPIC, ResourceType.GROUP
    assert of("notification", tmp_path) == {
        (topic, "order-events", AclOperation.READ),
        (topic, "order-events.dlq", AclOperation.READ),
        (topic, "order-events.dlq", AclOperation.WRITE),
        (topic, "auth-events", AclOperation.READ),
        (topic, "auth-events.dlq", AclOperation.READ),
        (topic, "auth-events.dlq", AclOperation.WRITE),
        (group, "notification", AclOperation.READ),
        (group, "notification-", AclOperation.READ),
    }


def test_a_service_that_consumes_nothing_is_nobody_on_kafka(tmp_path: Path) -> None:
    """Its events get there by Debezium."""
    assert of("product", tmp_path) == set()


def test_another_team_reads_its_topics_in_its_groups_only(tmp_path: Path) -> None:
    """It writes nothing."""
    assert {operation for _, _, operation in of("analytics", tmp_path)} == {AclOperation.READ}
    assert {name for _, name, _ in of("analytics", tmp_path)} == {"order-events", "analytics", "analytics-"}


def test_only_connect_writes_events(tmp_path: Path) -> None:
    """So what is on a topic of events was committed by its service."""
    events = {service.events_topic for service in topology(tmp_path).services.values()}
    writers = {each.user for each in rights(topology(tmp_path)) if writes(each) and each.name in events}
    assert writers == {"connect"}


def writes(right: Right) -> bool:
    """Tell whether it changes a topic."""
    return right.operation is AclOperation.WRITE
