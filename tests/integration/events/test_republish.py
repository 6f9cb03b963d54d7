"""Events that were in a slot which is no more: `make republish` brings them to Kafka after all, as they were."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote

import pytest

from deploy.native import connect_api
from deploy.native.audit import published
from deploy.native.errors import StackError
from deploy.native.provision import postgres
from deploy.native.republish import republish
from deploy.native.runtime import Runtime
from tests.e2e.shop import eventually
from tests.integration.events.broker import Broker
from tests.integration.events.test_connect_watchdog import CONNECTOR, EVENTS, append
from tests.stack import CHECKOUT, environment

SERVICE = "product"
PATIENCE_S = 60.0
SLOT = "SELECT active FROM pg_replication_slots WHERE slot_name = %s"


@contextmanager
def unread(stack: Runtime) -> Iterator[None]:
    """Have nobody read the slot for a while, with nothing in it."""
    eventually(lambda: not published.compare(stack, SERVICE).missing, within_s=PATIENCE_S)
    with connect_api.client(stack) as connect:
        path = f"/connectors/{quote(CONNECTOR)}"
        connect.put(f"{path}/stop").raise_for_status()
        try:
            # Connect says so before it has stopped.
            eventually(lambda: not is_read(stack), within_s=PATIENCE_S)
            yield
        finally:
            connect.put(f"{path}/resume").raise_for_status()


def is_read(stack: Runtime) -> bool:
    """Tell whether Debezium is at the slot."""
    with postgres.connect(stack, stack.topology.services[SERVICE].database) as session:
        found = session.execute(SLOT, [postgres.slot_name(SERVICE)]).fetchone()
    assert found
    return bool(found[0])


def drop_slot(stack: Runtime) -> None:
    """Lose what it kept."""
    with postgres.connect(stack, stack.topology.services[SERVICE].database) as session:
        session.execute("SELECT pg_drop_replication_slot(%s)", [postgres.slot_name(SERVICE)])


def make_republish() -> str:
    """Run the command for one service; answers what it says."""
    command = [sys.executable, "-m", "deploy.native", "republish", SERVICE]
    done = subprocess.run(command, cwd=CHECKOUT, env=environment(), capture_output=True, text=True, check=True)  # noqa: S603 - ours
    return done.stdout


@pytest.mark.timeout(300)
def test_what_a_lost_slot_kept_is_published_after_all(stack: Runtime, broker: Broker) -> None:
    """Under its own id, once, by the way of every event; without a slot there is no such way: nothing is touched."""
    begin = broker.ends(EVENTS)
    with unread(stack):
        lost = append(stack)
        drop_slot(stack)
        (event_id,) = published.compare(stack, SERVICE).missing
        with pytest.raises(StackError, match="make up makes one"):
            republish(stack, SERVICE, [event_id])
        assert "make republish publishes those" in postgres.slots(stack)
    after = append(stack)
    (only,) = broker.follow(begin, {lost.encode(), after.encode()}, 1)
    assert only.key == after.encode()

    assert make_republish() == "product: 1 events are on their way; make audit\n"
    found = {record.key.decode(): record for record in broker.follow(begin, {lost.encode(), after.encode()}, 2)}
    assert found[lost].headers["ce_id"].decode() == event_id
    assert make_republish() == "product: Kafka has every event\n"
