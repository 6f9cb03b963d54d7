"""How a worker of the background goes on after failures."""

import asyncio
from dataclasses import dataclass, field

from structlog.testing import capture_logs

from mesh.workers import GOOD_STRETCH_SECONDS, LONGEST_PAUSE_SECONDS, keep_running


@dataclass
class Shift:
    """A worker that runs for so many seconds each time, by its own clock, and then fails; at the end it returns."""

    stretches: list[float]
    time: float = 0.0
    pauses: list[float] = field(default_factory=list)

    async def work(self, _stop: asyncio.Event) -> None:
        """Run for the next stretch."""
        if self.stretches:
            self.time += self.stretches.pop(0)
            raise ValueError("broken")

    async def rest(self, _stop: asyncio.Event, seconds: float) -> None:
        """Note the pause."""
        self.pauses.append(seconds)

    async def over(self, stop: asyncio.Event) -> "Shift":
        """See it through."""
        await keep_running("cleaner", self.work, stop, now=lambda: self.time, rest=self.rest)
        return self


async def test_a_worker_that_keeps_failing_waits_longer_each_time_up_to_a_limit() -> None:
    """What it needs may be away for long."""
    shift = await Shift([1.0] * 7).over(asyncio.Event())
    assert shift.pauses == [0.5, 1.0, 2.0, 4.0, 8.0, LONGEST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS]


async def test_after_it_has_run_well_a_failure_is_a_first_one_again() -> None:
    """It goes on at once, however bad an earlier time was."""
    shift = await Shift([1.0, 1.0, 1.0, GOOD_STRETCH_SECONDS, 1.0]).over(asyncio.Event())
    assert shift.pauses == [0.5, 1.0, 2.0, 0.5, 1.0]


async def test_a_failure_is_told_with_what_comes_next() -> None:
    """By the worker's name."""
    with capture_logs() as lines:
        await Shift([1.0]).over(asyncio.Event())
    (line,) = lines
    assert (line["event"], line["worker"], line["again_in_seconds"]) == ("a worker failed", "cleaner", 0.5)


async def test_a_stop_ends_the_pause_and_the_worker() -> None:
    """A process that ends waits for nobody's pause."""
    stop = asyncio.Event()

    async def work(stop: asyncio.Event) -> None:
        stop.set()
        raise ValueError("broken")

    await keep_running("cleaner", work, stop)
    assert stop.is_set()
