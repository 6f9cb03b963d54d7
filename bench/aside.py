"""Work that is measured or measures must not share our interpreter: it runs in a process of its own, beside us.

Such a module says on its first line that it is ready, works until its input ends, and says then what it found.
"""

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from subprocess import PIPE

from bench.errors import BenchError


@dataclass(slots=True)
class Aside:
    """A process that is ready; `found` is there once it has ended."""

    pid: int
    ready: str
    found: str = ""


@contextlib.asynccontextmanager
async def beside(module: str, *arguments: str) -> AsyncIterator[Aside]:
    """Run `python -m module` until the block ends. Raises BenchError when it does not start or fails."""
    process = _start(module, arguments)
    try:
        line = await asyncio.to_thread(process.stdout.readline) if process.stdout else b""
        if not line:
            raise BenchError(f"{module} does not start; its error stands above")
        aside = Aside(process.pid, line.decode().strip())
        yield aside
    finally:
        # Closes its input, which ends it.
        rest, _ = await asyncio.to_thread(process.communicate)
    if process.returncode:
        raise BenchError(f"{module} failed; its error stands above")
    aside.found = rest.decode().strip()


def _start(module: str, arguments: tuple[str, ...]) -> subprocess.Popen[bytes]:
    """Not by the event loop: uvloop forks, which gRPC's threads in this process do not like; Python itself does not."""
    return subprocess.Popen([sys.executable, "-m", module, *arguments], stdin=PIPE, stdout=PIPE)  # noqa: S603 - our own
