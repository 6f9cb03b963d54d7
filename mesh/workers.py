"""Work in the background of a process: what fails is run again, a little later each time until it has run well."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable

from mesh.telemetry import get_logger

_log = get_logger(__name__)

Worker = Callable[[asyncio.Event], Awaitable[None]]

SHORTEST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 15.0
# Who fails after so long has not failed in a row.
GOOD_STRETCH_SECONDS = 60.0


async def _until_set(stop: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)


async def keep_running(
    name: str,
    worker: Worker,
    stop: asyncio.Event,
    *,
    now: Callable[[], float] = time.monotonic,
    rest: Callable[[asyncio.Event, float], Awaitable[None]] = _until_set,
) -> None:
    """Run a worker until it returns; after a failure again, as long as nobody stops it.

    `rest` waits for so many seconds, or until it is stopped.
    """
    pause = 0.0
    while not stop.is_set():
        began = now()
        try:
            await worker(stop)
        except Exception:  # noqa: BLE001 - one failure must not end what only this worker does
            pause = _pause_after(pause, now() - began)
            _log.exception("a worker failed", worker=name, again_in_seconds=pause)
            await rest(stop, pause)
        else:
            return


def _pause_after(last: float, ran_seconds: float) -> float:
    in_a_row = last > 0 and ran_seconds < GOOD_STRETCH_SECONDS
    return min(last * 2, LONGEST_PAUSE_SECONDS) if in_a_row else SHORTEST_PAUSE_SECONDS


async def finish(workers: list[asyncio.Task[None]], patience: float) -> None:
    """Wait for workers that have been stopped; those that are late are cancelled."""
    if not workers:
        return
    _, late = await asyncio.wait(workers, timeout=patience)
    for worker in late:
        _log.warning("a worker did not finish in time", worker=worker.get_name())
        worker.cancel()
