"""Handlers that fail: what passes is tried again, what does not is parked, and order holds all the same."""

from mesh import errors
from services.common.dead_letter_topic import SUFFIX, DeadLetterTopic
from services.common.dead_letters import Desk
from services.common.parked import ParkedEvents, Reason, State
from services.common.received import Record
from tests.integration.events.broker import Broker
from tests.integration.events.examples import event, events
from tests.integration.events.ledger import Clerk, Ledger
from tests.integration.events.waiting import eventually, until

POISON = ValueError("the order has no customer")


async def test_a_handler_that_fails_for_a_moment_is_tried_again(
    broker: Broker, ledger: Ledger, group: str, topic: str
) -> None:
    """What it had done by then is undone each time."""
    clerk = Clerk({("o1", 1): [errors.Unavailable("not now"), TimeoutError("nor now")]})
    broker.send(events(topic, ["o1"], 2))
    async with ledger.consuming(group, topic, clerk):
        await eventually(ledger.effects, {"o1": [1, 2]})
    assert broker.records(f"{topic}{SUFFIX}") == []


async def test_a_fault_that_does_not_pass_is_given_up(broker: Broker, ledger: Ledger, group: str, topic: str) -> None:
    """After as many attempts as the consumer has patience for."""
    clerk = Clerk({("o1", 1): errors.Unavailable("never")})
    broker.send(events(topic, ["o1", "o2"], 1))
    async with ledger.consuming(group, topic, clerk):
        await eventually(ledger.effects, {"o2": [1]})
    (letter,) = broker.records(f"{topic}{SUFFIX}")
    assert letter.headers["dlq_reason"] == b"RETRIES_EXHAUSTED"
    assert letter.headers["dlq_error"] == b"Unavailable: never"


async def test_behind_a_poison_event_its_key_waits_and_others_go_on(
    broker: Broker, ledger: Ledger, group: str, topic: str
) -> None:
    """Those of other keys in the same partition, too."""
    sent = events(topic, ["bad", "good"], 5)
    broker.send(sent)
    async with ledger.consuming(group, topic, Clerk({("bad", 2): POISON})):
        await eventually(ledger.effects, {"bad": [1], "good": [1, 2, 3, 4, 5]})
        await until(lambda: ledger.count("parked_events"), lambda count: count == 4)
    letters = broker.records(f"{topic}{SUFFIX}")
    assert [body_of(each) for each in letters] == [body_of(each) for each in sent if is_parked(each)]
    reasons = [each.headers["dlq_reason"].decode() for each in letters]
    assert reasons == [Reason.REFUSED, *[Reason.HELD_BACK] * 3]


async def test_a_dead_letter_says_where_it_came_from_and_why(
    broker: Broker, ledger: Ledger, group: str, topic: str
) -> None:
    """Beside all that the event had."""
    poison = event(topic, "bad", 1, partition=2)
    broker.send([event(topic, "good", 1, partition=2), poison])
    async with ledger.consuming(group, topic, Clerk({("bad", 1): POISON})):
        await until(lambda: ledger.count("parked_events"), lambda count: count == 1)
    (letter,) = broker.records(f"{topic}{SUFFIX}")
    why = {name: value.decode() for name, value in letter.headers.items() if name.startswith("dlq_")}
    assert why.pop("dlq_time")
    assert why == {
        "dlq_group": group,
        "dlq_reason": "REFUSED",
        "dlq_error": "ValueError: the order has no customer",
        "dlq_topic": topic,
        "dlq_partition": "2",
        "dlq_offset": "1",
    }
    assert letter.headers.items() >= poison.headers.items()
    assert (letter.key, letter.value) == (poison.key, poison.value)


async def test_what_is_no_event_is_parked_and_the_header_at_fault_named(
    broker: Broker, ledger: Ledger, group: str, topic: str
) -> None:
    """It stops nobody else."""
    required = ("ce_id", "ce_type", "ce_subject", "ce_sequence", "ce_time")
    odd = [event(topic, f"without {name}", 1, headers={name: b""}) for name in required]
    broker.send([*odd, event(topic, "good", 1)])
    async with ledger.consuming(group, topic):
        await eventually(ledger.effects, {"good": [1]})
    why = {letter.key.decode(): letter.headers for letter in broker.records(f"{topic}{SUFFIX}")}
    assert {headers["dlq_reason"] for headers in why.values()} == {b"UNDECODABLE"}
    for name in required:
        assert f"header {name} is missing" in why[f"without {name}"]["dlq_error"].decode()


async def test_a_large_event_is_parked_as_well(broker: Broker, ledger: Ledger, group: str, topic: str) -> None:
    """Whatever its own topic took, the one for dead letters takes, and gives back."""
    large = event(topic, "bad", 1)
    large = Record(large.topic, large.partition, -1, large.key, bytes(4 * 1024 * 1024), large.headers)
    broker.send([large, event(topic, "good", 1)])
    clerk = Clerk({("bad", 1): POISON})
    async with ledger.consuming(group, topic, clerk):
        await eventually(ledger.effects, {"good": [1]})
        clerk.faults.clear()
        await ParkedEvents(ledger.database, group).replay(topic, None)
        await eventually(ledger.effects, {"good": [1], "bad": [1]})


async def test_once_the_handler_is_mended_a_replay_drains_the_key_in_order(
    broker: Broker, ledger: Ledger, group: str, topic: str
) -> None:
    """What comes meanwhile joins the end; then the key is free again."""
    clerk = Clerk({("bad", 1): POISON})
    parked = ParkedEvents(ledger.database, group)
    broker.send(events(topic, ["bad", "good"], 10))
    async with ledger.consuming(group, topic, clerk):
        await until(parked.list, lambda found: len(found) == 10)
        clerk.faults.clear()
        assert await parked.replay(topic, None) == 1
        broker.send([event(topic, "bad", sequence) for sequence in range(11, 16)])
        await eventually(ledger.effects, {"bad": list(range(1, 16)), "good": list(range(1, 11))})
        await eventually(parked.list, [])


async def test_a_replay_of_a_handler_that_is_not_mended_changes_nothing(
    broker: Broker, ledger: Ledger, group: str, topic: str
) -> None:
    """The event is where it was, and its followers behind it."""
    clerk = Clerk({("bad", 1): POISON})
    parked = ParkedEvents(ledger.database, group)
    broker.send(events(topic, ["bad"], 2))
    async with ledger.consuming(group, topic, clerk):
        (first, _) = await until(parked.list, lambda found: len(found) == 2)
        clerk.faults["bad", 1] = TypeError("still not")
        await parked.replay(topic, first.id)
        found = await until(parked.list, lambda found: "still not" in found[0].error)
    assert [each.state for each in found] == [State.FAILED, State.WAITING]
    assert await ledger.effects() == {}


async def test_an_event_that_was_discarded_stays_so_when_it_is_delivered_again(
    broker: Broker, ledger: Ledger, group: str, topic: str
) -> None:
    """What waits behind it goes on; its copies do not bring it back."""
    bad, after = events(topic, ["bad"], 2)
    parked = ParkedEvents(ledger.database, group)
    broker.send([bad, after, bad])
    async with ledger.consuming(group, topic, Clerk({("bad", 1): POISON})):
        (first, *_) = await until(parked.list, lambda found: len(found) == 3)
        await Desk(parked, DeadLetterTopic(ledger.settings, group)).discard(topic, first.id)
        await eventually(parked.list, [])
        broker.send([bad])
        await until(lambda: committed(broker, group, topic), lambda count: count == 4)
    assert await ledger.effects() == {"bad": [2]}
    assert await parked.list() == []


async def committed(broker: Broker, group: str, topic: str) -> int:
    """Ask how far the group is."""
    return broker.committed(group, topic)


def body_of(record: Record) -> tuple[bytes, bytes, bytes]:
    """What makes a record this one, wherever it is."""
    return record.key, record.headers["ce_id"], record.value


def is_parked(record: Record) -> bool:
    """Whether it is the poison or behind it."""
    return record.key == b"bad" and record.headers["ce_sequence"] != b"1"
