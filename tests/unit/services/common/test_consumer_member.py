"""How a member works through its partitions: in order inside, side by side outside, offsets after effects."""

import asyncio
from collections.abc import Callable, Iterable, Sequence

import pytest

from services.common.consumer import Member, Pace
from services.common.handling import StoppedError
from services.common.lanes import FULL, Handle, Lanes
from services.common.received import Record
from services.common.subscription import Partition
from tests.unit.services.common.consumer_fakes import TOPIC, MemorySubscription, record

PACE = Pace(batch=10, poll=0.001, finish=0.5, rejoin=0.001)
FIRST, SECOND = Partition(TOPIC, 0), Partition(TOPIC, 1)


class Hands:
    """Handles records; those told to be slow wait to be let go."""

    def __init__(self, *slow: int) -> None:
        """`slow`: numbers of records."""
        self.done: list[int] = []
        self.begun: list[int] = []
        self.go = asyncio.Event()
        self._slow = slow

    async def handle(self, record: Record, _: asyncio.Event) -> None:
        """Handle one."""
        self.begun.append(record.offset)
        if record.offset in self._slow:
            await self.go.wait()
        self.done.append(record.offset)


class Running:
    """A member at work."""

    def __init__(self, handle: Handle, batches: Iterable[Sequence[Record]]) -> None:
        """`batches` is what each poll brings."""
        self.kafka = MemorySubscription(batches, [FIRST, SECOND])
        self.stop = asyncio.Event()
        self.task = asyncio.create_task(Member(lambda: self.kafka, handle, PACE).run(self.stop))

    async def end(self) -> None:
        """Stop it."""
        self.stop.set()
        await self.task


async def until(condition: Callable[[], bool]) -> None:
    """Let the others work until something holds."""
    async with asyncio.timeout(2):
        while not condition():  # noqa: ASYNC110 - what is waited for is many things
            await asyncio.sleep(0.001)


async def test_a_partition_is_worked_off_in_order_while_others_go_on() -> None:
    """A slow record holds back its own partition only."""
    hands = Hands(1)
    running = Running(hands.handle, [[record(1), record(2), record(3, partition=1), record(4, partition=1)]])
    await until(lambda: hands.done == [3, 4])
    assert hands.begun == [1, 3, 4]
    hands.go.set()
    await until(lambda: hands.done == [3, 4, 1, 2])
    await running.end()


async def test_an_offset_is_committed_after_its_effect_and_never_before() -> None:
    """What is in hand would be lost if the process died now."""
    hands = Hands(2)
    running = Running(hands.handle, [[record(1), record(2), record(3)]])
    await until(lambda: running.kafka.offsets() == {FIRST: 2})
    hands.go.set()
    await until(lambda: running.kafka.offsets() == {FIRST: 4})
    await running.end()


async def test_nothing_is_committed_twice() -> None:
    """An idle member leaves the broker alone."""
    hands = Hands()
    running = Running(hands.handle, [[record(1)]])
    await until(lambda: running.kafka.offsets() == {FIRST: 2})
    await asyncio.sleep(0.02)
    await running.end()
    assert running.kafka.committed == [{FIRST: 2}]


async def test_a_commit_is_waited_for_before_the_next_and_told_again_when_it_failed() -> None:
    """The broker may be away for long; handling goes on meanwhile, and so does polling."""
    hands = Hands()
    running = Running(hands.handle, [[record(1)], *[[]] * 20, [record(2)]])
    running.kafka.silent = True
    await until(lambda: hands.done == [1, 2])
    await asyncio.sleep(0.02)
    assert running.kafka.committed == [{FIRST: 2}]
    await running.kafka.answer({})
    await until(lambda: running.kafka.committed == [{FIRST: 2}, {FIRST: 3}])
    await running.end()


async def test_a_stop_finishes_the_record_in_hand_commits_it_and_begins_none() -> None:
    """The rest is for whoever consumes next."""
    hands = Hands(1)
    running = Running(hands.handle, [[record(1), record(2)]])
    await until(lambda: hands.begun == [1])
    running.stop.set()
    await asyncio.sleep(0.01)
    assert not running.task.done()
    hands.go.set()
    await running.task
    assert hands.done == [1]
    assert running.kafka.offsets() == {FIRST: 2}
    assert not running.kafka.joined


async def test_a_record_that_takes_too_long_at_a_stop_is_given_up_uncommitted() -> None:
    """Its transaction is undone, and it comes again."""
    hands = Hands(1)
    running = Running(hands.handle, [[record(1)]])
    await until(lambda: hands.begun == [1])
    await running.end()
    assert hands.done == []
    assert running.kafka.committed == []


async def test_a_revoked_partition_is_committed_and_its_waiting_records_are_left() -> None:
    """The other partitions don't notice."""
    hands = Hands(1, 3)
    running = Running(hands.handle, [[record(1), record(2), record(3, partition=1), record(4, partition=1)]])
    await until(lambda: hands.begun == [1, 3])
    revoking = asyncio.create_task(running.kafka.revoke([FIRST]))
    await asyncio.sleep(0.01)
    hands.go.set()
    await revoking
    await until(lambda: hands.done == [1, 3, 4])
    assert running.kafka.offsets() == {FIRST: 2, SECOND: 5}
    await running.end()


async def test_a_lost_partition_is_dropped_at_once_without_a_commit() -> None:
    """Somebody else has it already, from the last committed offset on."""
    hands = Hands(1)
    running = Running(hands.handle, [[record(1), record(2)]])
    await until(lambda: hands.begun == [1])
    assert running.kafka.lost is not None
    await running.kafka.lost([FIRST])
    hands.go.set()
    await running.end()
    assert hands.done == []
    assert running.kafka.committed == []


async def test_a_defect_in_handling_ends_the_run_instead_of_skipping_the_record() -> None:
    """The server starts the worker again; the record's offset was not committed."""

    async def broken(_: Record, __: asyncio.Event) -> None:
        raise RuntimeError("a defect")

    running = Running(broken, [[record(1)]])
    with pytest.raises(RuntimeError, match="a defect"):
        await running.task
    assert running.kafka.committed == []
    assert not running.kafka.joined


async def test_a_member_that_was_expelled_joins_anew() -> None:
    """The broker takes a static member that it has forgotten for an impostor."""
    hands, stop = Hands(), asyncio.Event()
    memberships = [MemorySubscription([[record(1)]], [FIRST]), MemorySubscription([[record(2)]], [FIRST])]
    first, second = memberships
    task = asyncio.create_task(Member(lambda: memberships.pop(0), hands.handle, PACE).run(stop))
    await until(lambda: hands.done == [1])
    first.expelled = True
    await until(lambda: hands.done == [1, 2])
    assert not first.joined
    stop.set()
    await task
    assert second.offsets() == {FIRST: 3}


async def test_a_lane_whose_record_waits_for_another_attempt_ends_at_a_stop() -> None:
    """Handling raises StoppedError then, which is no defect."""

    async def handle(_: Record, stop: asyncio.Event) -> None:
        await stop.wait()
        raise StoppedError

    lanes = Lanes(handle, 1.0)
    lanes.open([FIRST])
    lanes.add([record(1)])
    await asyncio.sleep(0.01)
    await lanes.finish()
    lanes.check()
    assert lanes.done() == {}


async def test_a_full_lane_is_paused_until_it_has_room() -> None:
    """Memory is bounded by what one partition may have waiting."""
    hands = Hands(0)
    lanes = Lanes(hands.handle, 1.0)
    lanes.open([FIRST])
    lanes.add([record(number) for number in range(FULL + 2)])
    await asyncio.sleep(0)
    assert lanes.to_pause() == [FIRST]
    assert lanes.to_pause() == []
    assert lanes.to_resume() == []
    hands.go.set()
    await until(lambda: len(hands.done) == FULL + 2)
    assert lanes.to_resume() == [FIRST]
    await lanes.close([FIRST])
