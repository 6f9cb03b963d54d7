"""Stand-ins for what a consumer stands on: the database with its inbox, the dead-letter topic, and Kafka."""

import asyncio
import copy
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import cast

from mesh import errors
from services.common.connection import Connection
from services.common.inbox import Taken
from services.common.parked import DeadLetter, ParkedEvent, Reason, State
from services.common.received import ReceivedEvent, Record
from services.common.subscription import Answer, Change, MembershipLostError, Partition

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
TOPIC = "order-events"


def record(number: int, key: str = "o1", *, partition: int = 0, **headers: bytes) -> Record:
    """Return the event with that number, which is also its offset."""
    usual = {
        "ce_id": f"01890000-0000-7000-8000-{number:012d}".encode(),
        "ce_type": b"ordermesh.order.v1.OrderConfirmed",
        "ce_subject": key.encode(),
        "ce_sequence": str(number).encode(),
        "ce_source": b"//ordermesh/order",
        "ce_time": NOW.isoformat().encode(),
        "ce_requestid": b"r1",
        "ce_actor": b"user:u1",
        "traceparent": b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    }
    return Record(TOPIC, partition, number, key.encode(), b"", usual | headers)


@dataclass
class Tables:
    """What a transaction changes: all of it, or nothing."""

    inbox: set[str] = field(default_factory=set)
    effects: list[int] = field(default_factory=list)
    parked: list[ParkedEvent] = field(default_factory=list)


@dataclass
class MemoryDatabase:
    """The database as handling and replays know it. `away`: how many more pings until it is back."""

    tables: Tables = field(default_factory=Tables)
    away: int = 0
    numbers: int = 0

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """Undo everything when something inside fails."""
        if self.away:
            raise errors.Unavailable("the database can't be used at this moment")
        before = copy.deepcopy(self.tables)
        try:
            yield cast("Connection", self)
        except BaseException:
            self.tables = before
            raise

    async def ping(self) -> None:
        """Fail while it is away; each ping brings its return nearer."""
        if self.away:
            self.away -= 1
            raise errors.Unavailable("the database can't be used at this moment")

    async def take(self, _: Connection, record: Record, event_id: str) -> Taken:
        """Take an event as services.common.inbox does."""
        if event_id in self.tables.inbox:
            return Taken.DUPLICATE
        if any(each.key == record.key for each in self.tables.parked):
            return Taken.HELD_BACK
        self.tables.inbox.add(event_id)
        return Taken.NEW

    async def take_parked(self, _: Connection, event_id: str) -> Taken:
        """Take a parked event."""
        if event_id in self.tables.inbox:
            return Taken.DUPLICATE
        self.tables.inbox.add(event_id)
        return Taken.NEW

    async def prune(self, _older_than: timedelta, _limit: int) -> int:
        """Forget nothing."""
        return 0

    async def park(self, record: Record, letter: DeadLetter, reason: Reason, error: str) -> None:
        """Note where the record waits."""
        self.numbers += 1
        state = State.WAITING if reason is Reason.HELD_BACK else State.FAILED
        self.tables.parked.append(
            ParkedEvent(
                self.numbers,
                record.topic,
                record.key,
                record.partition,
                record.offset,
                letter,
                state,
                reason,
                error,
                NOW,
            )
        )

    async def next(self, _: Connection) -> ParkedEvent | None:
        """Return the first that waits and is the first of its key."""
        seen: set[bytes] = set()
        for event in self.tables.parked:
            if event.state is State.WAITING and event.key not in seen:
                return event
            seen.add(event.key)
        return None

    async def remove(self, _: Connection, event: ParkedEvent) -> None:
        """Take it off the queue."""
        self.tables.parked.remove(event)

    async def fail(self, event: ParkedEvent, reason: Reason, error: str) -> None:
        """Note that it failed again."""
        at = self.tables.parked.index(event)
        self.tables.parked[at] = replace(event, state=State.FAILED, reason=reason, error=error)

    async def count(self) -> tuple[int, int]:
        """How many failed, and how many wait."""
        failed = sum(event.state is State.FAILED for event in self.tables.parked)
        return failed, len(self.tables.parked) - failed

    def replay(self) -> None:
        """Let what failed have its turn, as the command does."""
        self.tables.parked = [replace(event, state=State.WAITING) for event in self.tables.parked]


@dataclass
class Handled:
    """A handler whose faults are told in advance, by the number of the event: one for each attempt, or for all."""

    database: MemoryDatabase
    faults: dict[int, list[Exception] | Exception] = field(default_factory=dict)
    attempts: list[int] = field(default_factory=list)
    database_goes_away: int = 0
    """For so many pings, with the next fault."""

    async def __call__(self, _: Connection, event: ReceivedEvent) -> None:
        """Note the event's effect in the transaction, then fail if told to."""
        self.attempts.append(event.sequence)
        self.database.tables.effects.append(event.sequence)
        fault = self.faults.get(event.sequence)
        if isinstance(fault, list):
            fault = fault.pop(0) if fault else None
        if fault is not None:
            self.database.away, self.database_goes_away = self.database_goes_away, 0
            raise fault


@dataclass
class MemoryLetters:
    """The dead-letter topic as a list. `away`: how many more times it can't be written."""

    letters: list[tuple[Record, Reason, str]] = field(default_factory=list)
    away: int = 0

    async def publish(self, record: Record, reason: Reason, error: str) -> DeadLetter:
        """Keep the record."""
        if self.away:
            self.away -= 1
            raise errors.Unavailable("Kafka is away")
        self.letters.append((record, reason, error))
        return DeadLetter(0, len(self.letters) - 1)

    async def fetch(self, event: ParkedEvent) -> Record:
        """Return the record."""
        return self.letters[event.dead_letter.offset][0]


class MemorySubscription:
    """A group of one member, whose partitions and records come as told."""

    def __init__(self, batches: Iterable[Sequence[Record]], partitions: Sequence[Partition]) -> None:
        """`batches` is what each poll brings; nothing after that."""
        self.committed: list[Mapping[Partition, int]] = []
        self.joined = False
        self.paused: set[Partition] = set()
        self._batches = iter(batches)
        self._partitions = partitions
        self._revoked: Change | None = None
        self.lost: Change | None = None
        self._answered: Answer | None = None
        self.silent = False
        self.expelled = False

    async def join(self, assigned: Change, revoked: Change, lost: Change, answered: Answer) -> None:
        """Give all partitions."""
        self.joined = True
        self._answered = answered
        self._revoked = revoked
        self.lost = lost
        await assigned(self._partitions)

    async def poll(self, _limit: int, _seconds: float) -> list[Record]:
        """Return the next batch."""
        await asyncio.sleep(0)
        if self.expelled:
            raise MembershipLostError("fenced")
        return list(next(self._batches, ()))

    async def commit(self, offsets: Mapping[Partition, int]) -> bool:
        """Note the offsets; answer at once, or when told to."""
        self.committed.append(dict(offsets))
        if not self.silent:
            await self.answer(offsets)
        return True

    async def answer(self, offsets: Mapping[Partition, int]) -> None:
        """Tell how a commit ended."""
        assert self._answered is not None
        await self._answered(offsets)

    async def pause(self, partitions: Iterable[Partition]) -> None:
        """Note what is paused."""
        self.paused.update(partitions)

    async def resume(self, partitions: Iterable[Partition]) -> None:
        """Note what goes on."""
        self.paused.difference_update(partitions)

    async def leave(self) -> None:
        """Take the partitions back."""
        self.joined = False
        await self.revoke(self._partitions)

    async def revoke(self, partitions: Sequence[Partition]) -> None:
        """Take some back, as a rebalance does."""
        assert self._revoked is not None
        await self._revoked(partitions)

    def offsets(self) -> dict[Partition, int]:
        """Where the group would begin."""
        merged: dict[Partition, int] = {}
        for offsets in self.committed:
            merged.update(offsets)
        return merged
