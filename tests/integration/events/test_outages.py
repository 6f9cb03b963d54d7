"""The broker or the database away: a consumer waits, and goes on with nothing lost and nothing doubled."""

import asyncio
import functools
import itertools
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from deploy.native import secrets
from deploy.native.processes import wait_until
from deploy.native.provision import kafka_access, kafka_clients
from deploy.native.provision.connect import connectors
from deploy.native.runtime import Runtime
from deploy.native.supervisor import Supervisor
from services.common.database import Database
from tests.e2e.accidents import kill
from tests.integration.events.broker import Broker
from tests.integration.events.conftest import PARTITIONS
from tests.integration.events.consume import consumer_process
from tests.integration.events.examples import events
from tests.integration.events.ledger import Clerk, Ledger, settings_for
from tests.integration.events.waiting import eventually
from tests.integration.postgres import Postgres

KEYS = [f"o{number}" for number in range(6)]
EACH = 50
ALL = {key: list(range(1, EACH + 1)) for key in KEYS}
SLOW = Clerk(pause_s=0.01)
RECOVERY_S = 60.0
STOP_S = 10.0


@pytest.fixture(scope="module", autouse=True)
def whole_again(stack: Runtime) -> Iterator[None]:
    """Leave the stack as it was found: events flow, for the tests that come next."""
    yield
    connectors(stack)


@pytest.fixture
def supervisor(stack: Runtime) -> Supervisor:
    """Who starts the stack's programs again."""
    return Supervisor(stack, secrets.ensure(stack.root, stack.topology.services))


async def test_a_broker_that_is_killed_is_waited_for(
    broker: Broker, ledger: Ledger, topic: str, supervisor: Supervisor
) -> None:
    """What was fetched is handled meanwhile; what comes later, too."""
    broker.send(events(topic, KEYS, EACH, PARTITIONS))
    async with ledger.consuming(topic, topic, SLOW):
        await ledger.reaches(50)
        os.kill(supervisor.state("kafka").pid, signal.SIGKILL)
        await asyncio.to_thread(broker.send, events(topic, ["late"], 3))
        await eventually(ledger.effects, ALL | {"late": [1, 2, 3]}, within_s=RECOVERY_S)
        sent = EACH * len(KEYS) + 3
        await eventually(lambda: asyncio.to_thread(broker.committed, topic, topic), sent, within_s=RECOVERY_S)


def test_a_broker_that_is_started_again_knows_its_users(stack: Runtime) -> None:
    """Also when the one who comes first in Java's hash maps was locked out: had it been removed, Kafka knew nobody."""
    admin = AdminClient({**kafka_clients.as_provisioning(stack)})
    user = next(name for name in map("team-{}".format, itertools.count()) if not bucket(name))
    kafka_access.set_passwords(admin, {user: "known"})
    kafka_access.lock_out(admin, {user})
    kill(stack, "kafka")
    for known in ("operator", "connect", "notification"):
        password = kafka_clients.as_user(stack, known)["sasl.password"]
        assert wait_until(functools.partial(lets_in, stack, known, password), RECOVERY_S)
    assert not lets_in(stack, user, "known")


def lets_in(stack: Runtime, user: str, password: str) -> bool:
    """Tell whether the broker takes a password; not if it is not there."""
    try:
        return kafka_access.may_log_in(stack, user, password)
    except KafkaException:
        return False


def bucket(name: str) -> int:
    """Where Java's hash maps of up to 64 places keep a name."""
    code = functools.reduce(lambda code, letter: (31 * code + ord(letter)) % 2**32, name, 0)
    return (code ^ code >> 16) % 64


async def test_a_consumer_can_be_stopped_while_the_broker_is_away(
    broker: Broker, ledger: Ledger, topic: str, supervisor: Supervisor, tmp_path: Path
) -> None:
    """It cannot tell how far it came, so whoever is next gets some again, to no effect."""
    broker.send(events(topic, KEYS, EACH, PARTITIONS))
    async with consumer_process(ledger, topic, tmp_path / "consumer.log") as consumer:
        await ledger.reaches(50)
        try:
            await asyncio.to_thread(supervisor.stop, ["kafka"])
            async with asyncio.timeout(STOP_S):
                assert await consumer.stop() == 0, consumer.log.read_text()
        finally:
            supervisor.run("kafka")
    async with ledger.consuming(topic, topic):
        await eventually(ledger.effects, ALL, within_s=RECOVERY_S)


async def test_a_database_that_is_stopped_is_waited_for(broker: Broker, postgres: Postgres, topic: str) -> None:
    """No event is to blame for it, so none is parked, however long it takes."""
    broker.send(events(topic, KEYS, EACH, PARTITIONS))
    settings = settings_for(postgres.url("order", "order_app"), broker.settings)
    async with Database.open(settings) as database:
        ledger = Ledger(database, settings)
        async with ledger.consuming(topic, topic, SLOW):
            await ledger.reaches(50)
            await asyncio.to_thread(postgres.stop)
            await asyncio.sleep(3)
            await asyncio.to_thread(postgres.start)
            await eventually(ledger.effects, ALL, within_s=RECOVERY_S)
        assert await ledger.count("parked_events") == 0
