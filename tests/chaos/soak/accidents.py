"""Programs that are gone from one moment to the next, chosen by dice, and how long until they are made up for."""

import asyncio
import os
import random
import signal
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from deploy.native.supervisor import Supervisor
from tests.chaos.soak.news import News
from tests.chaos.soak.tally import Tally

SHORTEST_PAUSE_S, LONGEST_PAUSE_S = 2.0, 10.0
LOOK_S = 0.1
PATIENCE_S = 600.0
"""After so long it hangs, on however busy a machine."""

TWO_AT_ONCE = 0.25
TELLERS = frozenset({"connect", "kafka"})
"""What nobody calls: it is back when an event that was committed afterwards arrives."""

Probe = Callable[[], Awaitable[bool]]


@dataclass
class Accidents:
    """`probes` tell of each program that is called whether it does its work. One that tells news has none."""

    supervisor: Supervisor
    probes: Mapping[str, Probe]
    news: News
    tally: Tally
    dice: random.Random
    recoveries: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    """Seconds until each was made up for, by program."""

    async def run(self, stopped: asyncio.Event) -> None:
        """Kill one program or two, wait until they are made up for and a while longer, and again."""
        programs = sorted({*self.probes, *TELLERS})
        while not stopped.is_set():
            count = 2 if self.dice.random() < TWO_AT_ONCE else 1
            async with asyncio.TaskGroup() as at_once:
                for program in self.dice.sample(programs, count):
                    at_once.create_task(self._accident(program))
            pause = self.dice.uniform(SHORTEST_PAUSE_S, LONGEST_PAUSE_S)
            await asyncio.wait([asyncio.create_task(stopped.wait())], timeout=pause)

    async def _accident(self, program: str) -> None:
        state = await asyncio.to_thread(self.supervisor.state, program)
        if not state.pid:
            return
        begun = time.time()
        os.kill(state.pid, signal.SIGKILL)
        while not await self._made_up_for(program, state.pid, begun):
            if time.time() > begun + PATIENCE_S:
                self.tally.surprise(f"{program} is not back {PATIENCE_S:g} s after it was killed")
                return
            await asyncio.sleep(LOOK_S)
        self.recoveries[program].append(round(time.time() - begun, 2))

    async def _made_up_for(self, program: str, before: int, begun: float) -> bool:
        if (await asyncio.to_thread(self.supervisor.state, program)).pid in {0, before}:
            return False
        return self.news.newest > begun if program in TELLERS else await self.probes[program]()

    def figures(self) -> dict[str, object]:
        """Sum up."""
        return {
            program: {"kills": len(took), "back_after_s": {"median": sorted(took)[len(took) // 2], "max": max(took)}}
            for program, took in sorted(self.recoveries.items())
        }
