"""A connector that has failed for good: it runs again once its cause is repaired, and no event of it is lost."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from confluent_kafka.admin import AdminClient

from deploy.native import connect_api
from deploy.native.provision import kafka_access, kafka_clients
from deploy.native.provision.kafka_access import LITERAL, TOPIC, WRITE, Right
from deploy.native.provision.postgres import connect
from deploy.native.runtime import Runtime
from deploy.native.secrets import CONNECT
from services.common.ids import new_id
from tests.e2e.shop import eventually
from tests.integration.events.broker import Broker
from tests.integration.events.test_debezium import INSERT

EVENTS, CONNECTOR = "product-events", "product-outbox"
# The broker refuses at the next event; Connect gives up, and the watchdog's longest pause is a minute.
PATIENCE_S = 150.0


@contextmanager
def without_the_right_to_publish(stack: Runtime) -> Iterator[None]:
    """Take the right away by which Connect writes events of products."""
    admin = AdminClient({**kafka_clients.as_provisioning(stack), "log_level": 2})
    right = {Right(CONNECT, TOPIC, EVENTS, LITERAL, WRITE)}
    kafka_access.set_rights(admin, set(), right)
    try:
        yield
    finally:
        kafka_access.set_rights(admin, right, set())


def append(stack: Runtime) -> str:
    """Commit an event, and name the product that it is about."""
    product_id = new_id()
    with connect(stack, stack.topology.services["product"].database) as session:
        session.execute(INSERT.encode(), {"id": product_id, "payload": b""})
    return product_id


def complaints(stack: Runtime) -> list[str]:
    """Say what `make status` says of the connector."""
    return [line for line in connect_api.complaints(stack) if CONNECTOR in line]


@pytest.mark.timeout(400)
def test_a_connector_that_failed_for_good_runs_again_by_itself(stack: Runtime, broker: Broker) -> None:
    """Once its cause is repaired: nobody restarts it, and what was committed meanwhile arrives."""
    begin = broker.ends(EVENTS)
    with without_the_right_to_publish(stack):
        held_back = append(stack)
        (told,) = eventually(lambda: complaints(stack), within_s=PATIENCE_S)
        assert "it is restarted until it runs" in told
    eventually(lambda: not complaints(stack), within_s=PATIENCE_S)
    after = append(stack)
    found = broker.follow(begin, {held_back.encode(), after.encode()}, 2)
    assert {record.key.decode() for record in found} == {held_back, after}
