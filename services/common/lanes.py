"""The partitions of a consumer, each worked off by a task of its own: in order inside, side by side outside."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Final

from mesh.telemetry import get_logger
from services.common.handling import StoppedError
from services.common.received import Record
from services.common.subscription import Partition

_log = get_logger(__name__)

Handle = Callable[[Record, asyncio.Event], Awaitable[None]]

FULL: Final = 1000
"""Records waiting in a lane above which no more are fetched for it."""

LOW: Final = 200
"""Records waiting below which more are fetched again."""


class Lane:
    """One partition's records, handled one after the other."""

    def __init__(self, handle: Handle) -> None:
        """`handle` brings a record to its end, or raises StoppedError."""
        self.done_to: int | None = None
        self.paused = False
        self._handle = handle
        self._records: asyncio.Queue[Record | None] = asyncio.Queue()
        self._stop = asyncio.Event()
        self._task = asyncio.create_task(self._run())

    @property
    def backlog(self) -> int:
        """How many records wait."""
        return self._records.qsize()

    def add(self, record: Record) -> None:
        """Let it wait its turn."""
        self._records.put_nowait(record)

    def check(self) -> None:
        """Raise what ended the lane, if a defect did."""
        if self._task.done() and not self._task.cancelled():
            self._task.result()

    async def finish(self, patience: float) -> None:
        """End after the record in hand; give that up too, undone, if it takes longer than `patience` seconds."""
        self._stop.set()
        self._records.put_nowait(None)
        _, late = await asyncio.wait([self._task], timeout=patience)
        if late:
            _log.warning("a record was given up undone; whoever gets the partition handles it")
            await self.abandon()

    async def abandon(self) -> None:
        """End at once; what was in hand is undone."""
        self._task.cancel()
        await asyncio.wait([self._task])

    async def _run(self) -> None:
        while not self._stop.is_set():
            record = await self._records.get()
            if record is None or self._stop.is_set():
                return
            try:
                await self._handle(record, self._stop)
            except StoppedError:
                return
            self.done_to = record.offset + 1


class Lanes:
    """The lanes of the partitions that are ours now."""

    def __init__(self, handle: Handle, patience: float) -> None:
        """`patience`: seconds for the records in hand when partitions go."""
        self._handle = handle
        self._patience = patience
        self._lanes: dict[Partition, Lane] = {}
        self._committed: dict[Partition, int] = {}

    def open(self, partitions: Iterable[Partition]) -> None:
        """Begin with partitions that came."""
        for partition in partitions:
            self._lanes[partition] = Lane(self._handle)

    def add(self, records: Iterable[Record]) -> None:
        """Let records wait in their lanes. One whose partition is gone belongs to another process now."""
        for record in records:
            lane = self._lanes.get(Partition(record.topic, record.partition))
            if lane is not None:
                lane.add(record)

    def check(self) -> None:
        """Raise what ended a lane, if a defect did."""
        for lane in self._lanes.values():
            lane.check()

    def done(self) -> Mapping[Partition, int]:
        """Return where each partition begins next time, as far as that was not committed yet."""
        return {
            partition: lane.done_to
            for partition, lane in self._lanes.items()
            if lane.done_to is not None and self._committed.get(partition) != lane.done_to
        }

    def committed(self, offsets: Mapping[Partition, int]) -> None:
        """Note that the group knows. What is gone since is none of ours."""
        self._committed.update({each: offset for each, offset in offsets.items() if each in self._lanes})

    def to_pause(self) -> Sequence[Partition]:
        """Mark and return lanes that have become full."""
        full = [each for each, lane in self._lanes.items() if not lane.paused and lane.backlog > FULL]
        for partition in full:
            self._lanes[partition].paused = True
        return full

    def to_resume(self) -> Sequence[Partition]:
        """Mark and return lanes that have room again."""
        low = [each for each, lane in self._lanes.items() if lane.paused and lane.backlog < LOW]
        for partition in low:
            self._lanes[partition].paused = False
        return low

    async def finish(self, partitions: Iterable[Partition] | None = None) -> None:
        """Let the records in hand come to their end and begin none anew, in these lanes or in all."""
        wanted = self._lanes if partitions is None else partitions
        lanes = [self._lanes[each] for each in wanted if each in self._lanes]
        await asyncio.gather(*(lane.finish(self._patience) for lane in lanes))

    async def close(self, partitions: Iterable[Partition]) -> None:
        """Forget partitions that are gone, and give up what is in hand."""
        for partition in partitions:
            self._committed.pop(partition, None)
            lane = self._lanes.pop(partition, None)
            if lane is not None:
                await lane.abandon()
