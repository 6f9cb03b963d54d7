"""Orders pay for all that follows from them, and for nothing else."""

import asyncio
import os
import time

import pytest

from bench import billing
from bench.billing import Bill, at_rest, billed

PIDS = {"ourselves": os.getpid()}


def work(seconds: float) -> None:
    """Use the processor."""
    until = time.process_time() + seconds
    while time.process_time() < until:
        pass


@pytest.fixture(autouse=True)
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look often, and not for long."""
    monkeypatch.setattr(billing, "LOOK_EVERY_S", 0.1)
    monkeypatch.setattr(billing, "PATIENCE_S", 1.0)


async def test_what_is_done_in_the_block_is_charged() -> None:
    """Here the stack is ourselves."""
    async with billed(PIDS, {"ourselves": 0.0}) as bill:
        work(0.2)
    assert bill.programs["ourselves"] >= 0.15
    assert bill.seconds >= 0.2


async def test_what_follows_after_the_block_is_charged_too() -> None:
    """Events and e-mails come later than the answer."""

    async def later() -> None:
        await asyncio.sleep(0.01)
        work(0.3)

    async with billed(PIDS, {"ourselves": 0.0}) as bill:
        following = asyncio.create_task(later())
    await following
    assert bill.programs["ourselves"] >= 0.25


async def test_a_stack_that_is_never_done_is_not_waited_for() -> None:
    """It may do something else by now."""
    stop = asyncio.Event()

    async def busy() -> None:
        while not stop.is_set():
            work(0.02)
            await asyncio.sleep(0)

    working = asyncio.create_task(busy())
    begun = time.monotonic()
    async with billed(PIDS, {"ourselves": 0.0}):
        pass
    stop.set()
    await working
    assert time.monotonic() - begun >= 1


async def test_rest_is_what_is_taken_while_nobody_calls() -> None:
    """In parts of a core."""
    rest = await at_rest(PIDS, 0.1)
    assert 0 <= rest["ourselves"] <= len(os.sched_getaffinity(0)) + 1


def test_a_bill_is_divided_by_the_orders() -> None:
    """Without orders there is nobody to divide it by."""
    bill = Bill({"order": 3.0})
    assert bill.each(2) == {"order": 1.5}
    assert bill.each(0) == {"order": 3.0}
