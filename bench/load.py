"""Two ways to put work on a system: as many calls as so many clients can make, and calls at a given rate.

The first finds how much it can do. Only the second tells how long people wait, since slow answers do not slow it down.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Self

from bench.latency import Latency

OK = "OK"

Ask = Callable[[int], Awaitable[str]]
"""One call of the client with that number; answers OK, or what went wrong. It raises only for a mistake of ours."""


@dataclass(slots=True)
class Outcome:
    """What came of a load: how long the good calls took in seconds, and how often which answer came.

    `seconds` is from the first call to the last answer.
    """

    seconds: float = 0.0
    durations: list[float] = field(default_factory=list)
    answers: Counter[str] = field(default_factory=Counter)

    @property
    def good(self) -> int:
        """How many calls went well."""
        return self.answers[OK]

    @property
    def errors(self) -> dict[str, int]:
        """How often each error came, the most frequent first."""
        return {answer: count for answer, count in self.answers.most_common() if answer != OK}

    @property
    def rate(self) -> float:
        """Good calls in a second."""
        return self.good / self.seconds if self.seconds else 0.0

    @property
    def latency(self) -> Latency:
        """How long the good calls took."""
        return Latency.of(self.durations)

    def __iadd__(self, other: Self) -> Self:
        self.seconds += other.seconds
        self.durations += other.durations
        self.answers += other.answers
        return self

    def record(self, answer: str, duration: float) -> None:
        """Note one call. How soon an error came is of no interest."""
        self.answers[answer] += 1
        if answer == OK:
            self.durations.append(duration)


async def closed(ask: Ask, clients: int, seconds: float) -> Outcome:
    """Have each client call again as soon as it is answered, for so many seconds."""
    outcome, begun = Outcome(), time.perf_counter()

    async def client(number: int) -> None:
        while time.perf_counter() - begun < seconds:
            await _call(ask, number, outcome)

    await _together([client(number) for number in range(clients)])
    outcome.seconds = time.perf_counter() - begun
    return outcome


async def paced(ask: Ask, rate: float, seconds: float) -> Outcome:
    """Call at an even rate, whether or not earlier calls were answered.

    A call's time runs from when it was due, so that a stall is counted for all that had to wait because of it.
    """
    outcome, begun = Outcome(), time.perf_counter()

    async def visit(number: int) -> None:
        due = begun + number / rate
        await asyncio.sleep(due - time.perf_counter())
        await _call(ask, number, outcome, since=due)

    await _together([visit(number) for number in range(round(rate * seconds))])
    outcome.seconds = max(seconds, time.perf_counter() - begun)
    return outcome


async def _call(ask: Ask, number: int, outcome: Outcome, since: float | None = None) -> None:
    begun = time.perf_counter() if since is None else since
    answer = await ask(number)
    outcome.record(answer, time.perf_counter() - begun)


async def _together(visits: list[Coroutine[None, None, None]]) -> None:
    async with asyncio.TaskGroup() as tasks:
        for visit in visits:
            tasks.create_task(visit)
