"""Child processes of these tests, ports for them, and waiting for what they do."""

import asyncio
import contextlib
import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path

HOST = "127.0.0.1"


def free_ports(count: int) -> list[int]:
    """Find ports that nobody listens on."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind((HOST, 0))
        return [each.getsockname()[1] for each in sockets]


def listens(port: int) -> bool:
    """Whether somebody accepts connections on a port."""
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0


async def eventually(holds: Callable[[], bool], seconds: float = 20) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110 - what is waited for happens in another process
            await asyncio.sleep(0.01)


def python_environment(**changes: str) -> dict[str, str]:
    """Give a child process of Python the modules that this one has."""
    return os.environ | {"PYTHONPATH": os.pathsep.join(each for each in sys.path if each)} | changes


class Process:
    """A child process, which is gone when the test is."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        """Take over a process that writes to a log."""
        self._process = process
        self.log = log

    @classmethod
    async def start(cls, log: Path, *command: str | Path, **environment: str) -> "Process":
        """Start a command with some of the environment changed."""
        with log.open("ab") as output:
            child = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=python_environment(**environment),
            )
        return cls(child, log)

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._process.returncode is None

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    async def stop(self, *, kill: bool = False) -> int:
        """End the process, at once or by asking; answer its exit code."""
        if self._process.returncode is None:
            self._process.kill() if kill else self._process.terminate()
        return await self._process.wait()
