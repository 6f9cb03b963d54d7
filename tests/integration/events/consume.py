"""A consumer that is a process of its own: python -m tests.integration.events.consume <group> <topic> [--die …].

Settings come from the environment, as those of every service.
"""

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from mesh.telemetry import configure_logging
from services.common.consumer import Connection, Consumer, ReceivedEvent
from services.common.database import Database
from services.common.settings import ServiceSettings
from tests.integration.events.ledger import QUICK, SERVICE, Clerk, Ledger, environment_of
from tests.integration.mesh.control_plane.processes import Process

IN_HAND, DONE = "in-hand", "done"


@dataclass
class Death:
    """Ends this process as kill -9 does, when it comes about for the last time."""

    left: int

    def come(self) -> None:
        """Count down to it."""
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


async def consume(group: str, topic: str, *, in_hand: Death, done: Death) -> None:
    """Consume until SIGTERM, or until one of the deaths."""
    settings = ServiceSettings(service=SERVICE)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with Database.open(settings) as database:
        handler, after = dying(Clerk(pause_s=0.002), in_hand), done.come
        await Consumer(settings, group, [topic], handler, database, committed=after, patience=QUICK).run(stop)


def dying(clerk: Clerk, death: Death) -> Callable[[Connection, ReceivedEvent], Awaitable[None]]:
    """Die with an effect that is written but not committed."""

    async def handle(connection: Connection, event: ReceivedEvent) -> None:
        await clerk.handle(connection, event)
        death.come()

    return handle


@asynccontextmanager
async def consumer_process(ledger: Ledger, topic: str, log: Path, *options: str) -> AsyncIterator[Process]:
    """Have a consumer, whose group is named like the topic, in a process that ends with the body at the latest."""
    process = await Process.start(
        log,
        *(sys.executable, "-m", "tests.integration.events.consume", topic, topic, *options),
        **environment_of(ledger.settings),
    )
    try:
        yield process
    finally:
        await process.stop(kill=True)


def main() -> None:
    """Read the arguments and consume."""
    parser = argparse.ArgumentParser("consume")
    parser.add_argument("group")
    parser.add_argument("topic")
    parser.add_argument("--die", choices=(IN_HAND, DONE), help="with the event in hand, or its effect just committed")
    parser.add_argument("--events", type=int, default=0, help="how many until then")
    options = parser.parse_args()
    configure_logging("INFO", SERVICE)
    deaths = {name: Death(options.events if options.die == name else 0) for name in (IN_HAND, DONE)}
    asyncio.run(consume(options.group, options.topic, in_hand=deaths[IN_HAND], done=deaths[DONE]))


if __name__ == "__main__":
    main()
