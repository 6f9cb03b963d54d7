"""What becomes of one record: its effect once, or a dead letter with the reason and its key held back."""

import asyncio

import pytest

from mesh import context, errors
from ordermesh.order.v1 import order_events_pb2
from services.common.handling import Effects, Handling, Patience, StoppedError
from services.common.parked import Reason, State
from services.common.received import ReceivedEvent, UndecodableError, event_in
from services.common.replays import Replays
from tests.unit.services.common.consumer_fakes import Handled, MemoryDatabase, MemoryLetters, record

QUICK = Patience(attempts=3, first_pause=0.001, longest_pause=0.001)


class World:
    """A handling and its replays, with all their fakes."""

    def __init__(self) -> None:
        """Everything works."""
        self.database = MemoryDatabase()
        self.letters = MemoryLetters()
        self.handler = Handled(self.database)
        self.commits = 0
        self.stop = asyncio.Event()
        effects = Effects("test", self.handler, QUICK, self._committed)
        self.handling = Handling(
            "test", effects, inbox=self.database, parking=self.database, letters=self.letters, patience=QUICK
        )
        self.replays = Replays(
            "test",
            effects,
            inbox=self.database,
            parked=self.database,
            letters=self.letters,
            patience=QUICK,
            interval=0.001,
        )

    async def handle(self, *numbers: int, key: str = "o1") -> None:
        """Handle events of one key."""
        for number in numbers:
            await self.handling.handle(record(number, key), self.stop)

    async def drain(self) -> None:
        """Handle every parked event whose turn has come."""
        while await self.replays.once():
            pass

    @property
    def effects(self) -> list[int]:
        """The events that took effect, in order."""
        return self.database.tables.effects

    @property
    def parked(self) -> list[tuple[int, State, Reason]]:
        """The events that are parked."""
        return [(event.offset, event.state, event.reason) for event in self.database.tables.parked]

    def _committed(self) -> None:
        self.commits += 1


@pytest.fixture
def world() -> World:
    """Give each test its own."""
    return World()


async def test_an_event_that_comes_twice_takes_effect_once(world: World) -> None:
    """Kafka delivers at least once; the inbox knows what it saw."""
    await world.handle(1, 1, 2, 1)
    assert world.effects == [1, 2]
    assert world.commits == 2


async def test_the_handler_acts_as_who_caused_the_event_in_the_same_request_and_trace() -> None:
    """Events that it writes name the same actor and request."""
    seen: list[context.Call] = []

    async def handler(_: object, __: ReceivedEvent) -> None:
        seen.append(context.current())

    database = MemoryDatabase()
    async with database.transaction() as connection:
        await Effects("test", handler, QUICK).have(connection, event_in(record(1)))
    assert seen[0].caller.actor == "user:u1"
    assert seen[0].request_id == "r1"
    assert seen[0].traceparent.startswith("00-0af7651916cd43dd8448eb211c80319c")


async def test_a_transient_fault_is_retried_and_leaves_no_half_effect(world: World) -> None:
    """Each attempt is a transaction of its own."""
    world.handler.faults[1] = [errors.Unavailable("not now"), TimeoutError()]
    await world.handle(1)
    assert world.effects == [1]
    assert world.handler.attempts == [1, 1, 1]
    assert not world.letters.letters


async def test_retries_end_in_the_dead_letter_topic(world: World) -> None:
    """The record is copied there as it came, with the last error."""
    world.handler.faults[1] = errors.Unavailable("never")
    await world.handle(1)
    assert world.handler.attempts == [1, 1, 1]
    assert world.letters.letters == [(record(1), Reason.RETRIES_EXHAUSTED, "Unavailable: never")]
    assert world.effects == []


async def test_an_event_the_handler_refuses_is_not_retried(world: World) -> None:
    """Its fault will be there again at any attempt."""
    world.handler.faults[1] = ValueError("no such thing\nwith details")
    await world.handle(1)
    assert world.handler.attempts == [1]
    assert world.letters.letters == [(record(1), Reason.REFUSED, "ValueError: no such thing")]


async def test_a_record_that_is_no_event_is_parked_and_the_partition_goes_on(world: World) -> None:
    """One poison message must not stop the others."""
    await world.handling.handle(record(1, ce_id=b"nonsense"), world.stop)
    await world.handle(2, key="o2")
    assert world.parked == [(1, State.FAILED, Reason.UNDECODABLE)]
    assert world.effects == [2]


async def test_what_follows_a_parked_event_of_the_same_key_waits_behind_it(world: World) -> None:
    """Other keys go on."""
    world.handler.faults[1] = ValueError()
    await world.handle(1, 2)
    await world.handle(3, key="o2")
    await world.handle(4)
    assert world.effects == [3]
    assert world.parked == [
        (1, State.FAILED, Reason.REFUSED),
        (2, State.WAITING, Reason.HELD_BACK),
        (4, State.WAITING, Reason.HELD_BACK),
    ]


async def test_an_event_that_took_effect_is_not_parked_behind_another(world: World) -> None:
    """A late duplicate of an earlier event is nothing new."""
    world.handler.faults[2] = ValueError()
    await world.handle(1, 2, 1)
    assert [offset for offset, _, _ in world.parked] == [2]


async def test_a_replay_takes_effect_in_order_and_frees_the_key(world: World) -> None:
    """First the event that failed, then those that waited, then new ones again."""
    world.handler.faults[1] = [ValueError()]
    await world.handle(1, 2, 3)
    await world.drain()
    assert world.effects == []
    world.database.replay()
    await world.drain()
    await world.handle(4)
    assert world.effects == [1, 2, 3, 4]
    assert world.parked == []
    assert world.commits == 4


async def test_a_replay_that_fails_again_keeps_the_key_parked(world: World) -> None:
    """What waited behind it still waits."""
    world.handler.faults[1] = ValueError("still")
    await world.handle(1, 2)
    world.database.replay()
    await world.drain()
    assert world.effects == []
    assert world.parked == [(1, State.FAILED, Reason.REFUSED), (2, State.WAITING, Reason.HELD_BACK)]


async def test_a_follower_that_fails_when_its_turn_comes_holds_back_the_rest(world: World) -> None:
    """It waits for a person like any that failed."""
    world.handler.faults[1] = [ValueError()]
    world.handler.faults[2] = ValueError("me too")
    await world.handle(1, 2, 3)
    world.database.replay()
    await world.drain()
    assert world.effects == [1]
    assert [(offset, state) for offset, state, _ in world.parked] == [(2, State.FAILED), (3, State.WAITING)]


async def test_a_replay_waits_for_a_transient_fault_to_pass(world: World) -> None:
    """It keeps its turn until its attempts are used up."""
    world.handler.faults[1] = [ValueError(), errors.Unavailable("not now")]
    await world.handle(1)
    world.database.replay()
    assert not await world.replays.once()
    assert [state for _, state, _ in world.parked] == [State.WAITING]
    assert await world.replays.once()
    assert world.effects == [1]


async def test_a_database_that_is_away_is_waited_for_however_long(world: World) -> None:
    """It is no fault of the event, so no attempt is counted."""
    world.database.away = 20
    await world.handle(1)
    assert world.effects == [1]
    assert not world.letters.letters


async def test_a_fault_while_the_database_is_away_never_parks(world: World) -> None:
    """Whatever a broken connection makes the handler raise says nothing of the event."""
    world.handler.faults[1] = [RuntimeError("the connection is closed")]
    world.handler.database_goes_away = 3
    await world.handle(1)
    assert world.parked == []
    assert world.effects == [1]


async def test_a_record_is_not_left_before_its_dead_letter_is_confirmed(world: World) -> None:
    """A broker that is away is waited for."""
    world.letters.away = 10
    world.handler.faults[1] = ValueError()
    await world.handle(1)
    assert len(world.letters.letters) == 1
    assert [offset for offset, _, _ in world.parked] == [1]


async def test_a_stop_ends_the_wait_for_another_attempt(world: World) -> None:
    """The record is neither done nor parked: whoever consumes next begins it anew."""
    world.handler.faults[1] = errors.Unavailable("never")
    world.stop.set()
    with pytest.raises(StoppedError):
        await world.handle(1)
    assert world.effects == []
    assert world.parked == []


async def test_the_same_event_is_known_by_its_id_not_by_its_offset(world: World) -> None:
    """Debezium sends an event again, at another offset, after a crash."""
    await world.handle(1)
    again = record(9, ce_id=record(1).headers["ce_id"])
    await world.handling.handle(again, world.stop)
    assert world.effects == [1]


@pytest.mark.parametrize("missing", ["ce_id", "ce_type", "ce_subject", "ce_sequence", "ce_time"])
def test_an_event_without_one_of_its_headers_says_which(missing: str) -> None:
    """The message is what an operator sees in the dead-letter topic."""
    headers = {name: value for name, value in record(1).headers.items() if name != missing}
    whole = record(1)
    with pytest.raises(UndecodableError, match=missing):
        event_in(type(whole)(whole.topic, 0, 1, b"o1", b"", headers))


def test_times_as_debezium_writes_them_are_read() -> None:
    """It drops zeros at the end and writes Z."""
    assert event_in(record(1, ce_time=b"2026-05-04T12:00:00.12Z")).time.microsecond == 120_000


def test_a_payload_that_is_another_message_is_undecodable() -> None:
    """A type that doesn't fit is told before the bytes are misread."""
    event = event_in(record(1))
    assert event.message(order_events_pb2.OrderConfirmed).order.id == ""
    with pytest.raises(UndecodableError, match="OrderCancelled"):
        event.message(order_events_pb2.OrderCancelled)
