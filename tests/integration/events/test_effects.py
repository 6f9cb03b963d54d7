"""Every event takes effect once, and those of one key in their order."""

import asyncio
import random

from tests.integration.events.broker import Broker
from tests.integration.events.conftest import PARTITIONS
from tests.integration.events.examples import event, events
from tests.integration.events.ledger import Clerk, Ledger
from tests.integration.events.waiting import eventually, until

KEYS = [f"o{number}" for number in range(7)]


async def test_an_event_that_is_delivered_twice_takes_effect_once(
    broker: Broker, ledger: Ledger, group: str, topic: str
) -> None:
    """Debezium delivers again what it cannot know it has delivered."""
    twice, last = event(topic, "o1", 1), event(topic, "o1", 2)
    broker.send([twice, twice, last])
    async with ledger.consuming(group, topic):
        await eventually(ledger.effects, {"o1": [1, 2]})
    assert await ledger.count("inbox") == 2
    assert broker.committed(group, topic) == 3


async def test_events_of_a_key_take_effect_in_their_order(
    broker: Broker, ledger: Ledger, group: str, topic: str
) -> None:
    """Over all partitions, and although some arrive again later."""
    sent = events(topic, KEYS, 20, PARTITIONS)
    again = random.sample(sent, 30)
    broker.send([*sent, *again])
    async with ledger.consuming(group, topic):
        await eventually(ledger.effects, {key: list(range(1, 21)) for key in KEYS})
        await eventually(lambda: asyncio.to_thread(broker.committed, group, topic), len(sent) + len(again))


async def test_a_clean_stop_tells_kafka_how_far_it_came(broker: Broker, ledger: Ledger, group: str, topic: str) -> None:
    """Whoever is next begins there, with nothing to do again."""
    broker.send(events(topic, KEYS, 100, PARTITIONS))
    async with ledger.consuming(group, topic):
        await ledger.reaches(50)
    handled = await ledger.count()
    assert 50 <= handled < 700
    assert broker.committed(group, topic) == handled
    async with ledger.consuming(group, topic):
        await eventually(ledger.effects, {key: list(range(1, 101)) for key in KEYS})


async def test_a_member_that_joins_takes_partitions_over_and_order_holds(
    broker: Broker, ledger: Ledger, topic: str
) -> None:
    """In the middle of the work: what the first has in hand, it finishes and commits before the other begins."""
    newcomer = Ledger(ledger.database, ledger.settings.model_copy(update={"port": 2}))
    broker.send(events(topic, KEYS, 60, PARTITIONS))
    async with ledger.consuming(topic, topic, Clerk(pause_s=0.01)):
        await ledger.reaches(50)
        async with newcomer.consuming(topic, topic, Clerk(pause_s=0.01)):
            await until(lambda: members(broker, topic), lambda found: len(found) == 2)
            await eventually(ledger.effects, {key: list(range(1, 61)) for key in KEYS})
            await eventually(lambda: asyncio.to_thread(broker.committed, topic, topic), 60 * len(KEYS))


async def members(broker: Broker, group: str) -> set[str]:
    """Name the members of a group that have partitions."""
    return broker.members(group)


async def test_a_topic_that_is_not_there_yet_is_waited_for(broker: Broker, ledger: Ledger, group: str) -> None:
    """Services start in any order, a new one before its first topic."""
    async with ledger.consuming(group, group):
        await asyncio.sleep(1)
        with broker.topic(group, 1) as late:
            broker.send([event(late, "o1", 1)])
            await eventually(ledger.effects, {"o1": [1]})
