"""What orders cost in CPU, all that follows from them included: events, e-mails, and the bench's own share."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from bench import machine
from bench.accounts import Cpu, Pids, Spent

LOOK_EVERY_S = 0.5
# The stack is done when it takes hardly more than at rest; a JVM collects its garbage then, so not for ever.
ALLOWANCE_CORES = 0.1
PATIENCE_S = 15.0


@dataclass(slots=True)
class Bill:
    """CPU seconds: of each program, of the bench itself, and of everything else on the machine."""

    programs: Spent = field(default_factory=dict)
    ourselves: float = 0.0
    others: float = 0.0
    seconds: float = 0.0

    def each(self, orders: int) -> Spent:
        """Divide what the programs spent by the orders."""
        return {name: spent / max(orders, 1) for name, spent in self.programs.items()}


@dataclass(frozen=True, slots=True)
class _Moment:
    stack: Cpu
    machine: float
    ourselves: float
    clock: float

    @classmethod
    def now(cls, pids: Pids) -> "_Moment":
        return cls(Cpu.read(pids), machine.busy(), machine.own_seconds(), time.perf_counter())


async def at_rest(pids: Pids, seconds: float) -> Spent:
    """Tell what each program takes while nobody calls: CPU seconds a second."""
    before = _Moment.now(pids)
    await asyncio.sleep(seconds)
    bill = _between(before, _Moment.now(pids))
    return {name: spent / bill.seconds for name, spent in bill.programs.items()}


@asynccontextmanager
async def billed(pids: Pids, rest: Mapping[str, float]) -> AsyncIterator[Bill]:
    """Charge what is spent from here until the stack has finished what was begun in the block.

    What it takes at rest is charged for the time of the block, but not for that of waiting afterwards.
    """
    bill, before = Bill(), _Moment.now(pids)
    yield bill
    worked = _between(before, _Moment.now(pids))
    end = time.perf_counter()
    await _finished(pids, sum(rest.values()))
    total = _between(before, _Moment.now(pids))
    waited = time.perf_counter() - end
    bill.programs = {name: max(0.0, spent - rest[name] * waited) for name, spent in total.programs.items()}
    bill.ourselves, bill.others, bill.seconds = worked.ourselves, worked.others, worked.seconds


async def _finished(pids: Pids, rest: float) -> None:
    begun = time.perf_counter()
    while time.perf_counter() - begun < PATIENCE_S:
        before = _Moment.now(pids)
        await asyncio.sleep(LOOK_EVERY_S)
        now = _between(before, _Moment.now(pids))
        if sum(now.programs.values()) / now.seconds <= rest + ALLOWANCE_CORES:
            return


def _between(before: _Moment, after: _Moment) -> Bill:
    programs = after.stack.since(before.stack)
    ourselves = after.ourselves - before.ourselves
    others = after.machine - before.machine - ourselves - sum(programs.values())
    return Bill(programs, ourselves, max(0.0, others), after.clock - before.clock)
