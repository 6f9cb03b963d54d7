"""Runs the steps of a start: each as soon as those it needs are done, side by side, and tells what took how long."""

import time
from collections.abc import Callable, Collection, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Protocol

# Most of them wait for a component.
WORKERS = 16


@dataclass(frozen=True, slots=True)
class Step:
    """Something to do; `action` answers what it changed, in words, or nothing when all was as it should be."""

    name: str
    action: Callable[[], str]
    needs: tuple[str, ...] = ()


class Report(Protocol):
    """Is told of each step that is done."""

    def __call__(self, name: str, said: str, seconds: float) -> None:
        """`said` is what the step answered."""


def run(steps: Iterable[Step], report: Report) -> list[str]:
    """Run all steps and answer what they said, if anything. The first error is raised at once.

    Steps that run at that time run on by themselves, so the caller had better end the process.
    """
    waiting = {step.name: step for step in steps}
    done: set[str] = set()
    said: list[str] = []
    running: dict[Future[tuple[str, float]], str] = {}
    pool = ThreadPoolExecutor(WORKERS)
    try:
        while len(done) < len(waiting):
            for step in _ready(waiting.values(), done, running.values()):
                running[pool.submit(_timed, step.action)] = step.name
            if not running:
                raise ValueError(f"steps need others that do not come: {sorted(waiting.keys() - done)}")
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                name = running.pop(future)
                answer, seconds = future.result()
                report(name, answer, seconds)
                said += [answer] if answer else []
                done.add(name)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    return said


def _ready(steps: Iterable[Step], done: set[str], running: Collection[str]) -> list[Step]:
    """Choose the steps whose turn it is."""
    return [step for step in steps if step.name not in done | {*running} and done.issuperset(step.needs)]


def _timed(action: Callable[[], str]) -> tuple[str, float]:
    began = time.monotonic()
    return action(), time.monotonic() - began
