"""Load is put on as it is described, and every answer is counted."""

import asyncio
import time
from itertools import count

import pytest

from bench import load
from bench.load import OK, Outcome

SOON = 0.01


async def test_each_client_calls_again_when_it_is_answered() -> None:
    """Four clients are four calls at once, never five."""
    waiting, most = 0, 0

    async def ask(_: int) -> str:
        nonlocal waiting, most
        waiting += 1
        most = max(most, waiting)
        await asyncio.sleep(SOON)
        waiting -= 1
        return OK

    outcome = await load.closed(ask, clients=4, seconds=5 * SOON)
    assert most == 4
    assert outcome.good > 4


async def test_a_rate_is_kept_though_nobody_answers() -> None:
    """Slow answers do not slow the questions down."""
    waiting, most = 0, 0

    async def ask(_: int) -> str:
        nonlocal waiting, most
        waiting += 1
        most = max(most, waiting)
        await asyncio.sleep(0.2)
        waiting -= 1
        return OK

    outcome = await load.paced(ask, rate=100, seconds=0.1)
    assert (outcome.good, most) == (10, 10)


async def test_a_stall_counts_for_all_who_had_to_wait() -> None:
    """Calls that were due while the system (here: the loop) stood still are late from when they were due."""
    numbers = count()

    async def ask(_: int) -> str:
        if next(numbers) == 0:
            time.sleep(0.2)  # noqa: ASYNC251 - as above
        return OK

    outcome = await load.paced(ask, rate=50, seconds=0.2)
    assert outcome.latency.longest >= 0.2
    assert outcome.latency.p50 >= 0.05


async def test_errors_are_counted_by_what_they_are_and_are_not_fast_answers() -> None:
    """The rate and the percentiles are of good answers only."""
    answers = iter([OK, "429 RATE_LIMITED", OK, "503 UNAVAILABLE", "503 UNAVAILABLE"])

    async def ask(_: int) -> str:
        return next(answers)

    outcome = await load.paced(ask, rate=1000, seconds=0.005)
    assert outcome.errors == {"503 UNAVAILABLE": 2, "429 RATE_LIMITED": 1}
    assert outcome.latency.count == outcome.good == 2


async def test_a_mistake_of_ours_ends_the_measurement() -> None:
    """What is no answer must not be counted as one."""

    async def ask(_: int) -> str:
        raise KeyError("id")

    with pytest.raises(ExceptionGroup, match="unhandled errors"):
        await load.closed(ask, clients=2, seconds=1)


def test_nothing_done_is_a_rate_of_nothing() -> None:
    """Not a division by zero."""
    assert Outcome().rate == 0


def test_turns_add_up() -> None:
    """Two turns are one measurement of both."""
    outcome, turn = Outcome(), Outcome(seconds=2.0)
    turn.record(OK, 0.1)
    turn.record("UNAVAILABLE", 0.1)
    outcome += turn
    outcome += turn
    assert (outcome.rate, outcome.errors, outcome.latency.count) == (0.5, {"UNAVAILABLE": 2}, 2)
