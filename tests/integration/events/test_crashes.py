"""A consumer's process that dies: nothing is lost, and nothing takes effect twice."""

import signal
from pathlib import Path

import prometheus_client
import pytest

from tests.integration.events.broker import Broker
from tests.integration.events.conftest import PARTITIONS
from tests.integration.events.consume import DONE, IN_HAND, consumer_process
from tests.integration.events.examples import events
from tests.integration.events.ledger import Ledger
from tests.integration.events.waiting import eventually
from tests.integration.mesh.control_plane.processes import eventually as ended

KEYS = [f"o{number}" for number in range(6)]
EACH = 40
ALL = {key: list(range(1, EACH + 1)) for key in KEYS}


@pytest.mark.parametrize("when", [IN_HAND, DONE])
async def test_an_offset_is_committed_only_after_the_effect(
    broker: Broker, ledger: Ledger, topic: str, tmp_path: Path, when: str
) -> None:
    """Killed before its effect is committed, an event comes again; killed after that, it comes again to no effect."""
    broker.send(events(topic, KEYS, EACH, PARTITIONS))
    async with consumer_process(ledger, topic, tmp_path / "dying.log", "--die", when, "--events", "70") as dying:
        await ended(lambda: not dying.running)
        assert await dying.stop() == -signal.SIGKILL, dying.log.read_text()
    told, effects = broker.committed(topic, topic), await ledger.count()
    assert told < effects if when == DONE else told <= effects
    async with ledger.consuming(topic, topic):
        await eventually(lambda: told_by(broker, topic), EACH * len(KEYS))
    assert await ledger.effects() == ALL
    assert duplicates(topic) >= (1 if when == DONE else 0)


async def test_whenever_a_consumer_is_killed_nothing_is_lost_and_nothing_doubled(
    broker: Broker, ledger: Ledger, topic: str, tmp_path: Path
) -> None:
    """Three times, in the middle of what it fetched."""
    broker.send(events(topic, KEYS, EACH, PARTITIONS))
    for wanted in (30, 90, 150):
        async with consumer_process(ledger, topic, tmp_path / "victim.log") as victim:
            await ledger.reaches(wanted)
            assert await victim.stop(kill=True) == -signal.SIGKILL, victim.log.read_text()
    assert await ledger.count() < EACH * len(KEYS)
    async with ledger.consuming(topic, topic):
        await eventually(lambda: told_by(broker, topic), EACH * len(KEYS))
    assert await ledger.effects() == ALL


async def told_by(broker: Broker, topic: str) -> int:
    """Ask how far the group says it is."""
    return broker.committed(topic, topic)


def duplicates(topic: str) -> float:
    """How many events of the topic came again to no effect, in this process."""
    labels = {"group": topic, "topic": topic, "outcome": "duplicate"}
    return prometheus_client.REGISTRY.get_sample_value("ordermesh_consumer_events_total", labels) or 0.0
