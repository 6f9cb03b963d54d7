"""A client process that keeps calling a service and tells what answers, with a bootstrap of its own.

Arguments: target, path, calls at a time, request id. It prints a line of JSON for each outcome that it sees for the
first time, and one with all counts when its input closes.
"""

import asyncio
import json
import sys
import time
from collections import Counter
from typing import Any

import grpc

DEADLINE_SECONDS = 20


def tell(message: dict[str, Any]) -> None:
    """Write a line that the test reads."""
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


class Tally:
    """How often each outcome was seen, and when for the last time."""

    def __init__(self) -> None:
        """Begin with nothing seen."""
        self.counts = Counter[str]()
        self.last: dict[str, float] = {}

    def note(self, outcome: str, details: str, seconds: float) -> None:
        """Count an outcome."""
        self.last[outcome] = time.time()
        if outcome not in self.counts:
            tell({"seen": outcome, "details": details, "at": time.time(), "seconds": seconds})
        self.counts[outcome] += 1


async def call_until(done: asyncio.Event, channel: grpc.aio.Channel, path: str, request_id: str, tally: Tally) -> None:
    """Call again and again; an outcome is the name of the server, or the code of the error."""
    method: Any = channel.unary_unary(path)
    metadata = (("x-request-id", request_id),) if request_id else None
    while not done.is_set():
        begun, details = time.monotonic(), ""
        try:
            outcome = (await method(b"", timeout=DEADLINE_SECONDS, metadata=metadata)).decode()
        except grpc.aio.AioRpcError as error:
            outcome, details = error.code().name, error.details() or ""
        tally.note(outcome, details, time.monotonic() - begun)
        await asyncio.sleep(0.001)


async def main(target: str, path: str, at_a_time: int, request_id: str) -> None:
    """Call until the input closes."""
    tally, done = Tally(), asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin, done.set)
    async with (
        grpc.aio.secure_channel(target, grpc.xds_channel_credentials()) as channel,
        asyncio.TaskGroup() as callers,
    ):
        for _ in range(at_a_time):
            callers.create_task(call_until(done, channel, path, request_id, tally))
    tell({"counts": tally.counts, "last": tally.last})


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]))
