"""Where log lines go. Those that tell of the ordinary wait a moment for others, and are written together.

Each write wakes up the process that keeps the log, which takes longer than to make the line. What is worth a warning is
written at once, with all that was waiting; a process that is killed may take the last tenth of a second with it.
"""

import asyncio
import atexit
from collections.abc import Callable
from typing import Any, BinaryIO, Final

WAIT_SECONDS: Final = 0.1


class LogOutput:
    """A logger of structlog's, for lines that are ready."""

    def __init__(self, stream: BinaryIO) -> None:
        """`stream`: standard output."""
        self._stream = stream
        self._waiting: list[bytes] = []
        self._woken_by: asyncio.AbstractEventLoop | None = None
        atexit.register(self.flush)

    def info(self, line: bytes) -> None:
        """Write it soon; at once where no event loop runs, as in a command."""
        self._waiting.append(line)
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self.flush()
            return
        if self._woken_by is not loop:
            self._woken_by = loop
            loop.call_later(WAIT_SECONDS, self.flush)

    def warning(self, line: bytes) -> None:
        """Write it now."""
        self._waiting.append(line)
        self.flush()

    debug = msg = info
    error = critical = exception = fatal = warning

    def flush(self) -> None:
        """Write what waits."""
        self._woken_by = None
        lines, self._waiting = self._waiting, []
        if lines and not self._stream.closed:
            self._stream.write(b"\n".join((*lines, b"")))
            self._stream.flush()


def to(stream: BinaryIO) -> Callable[..., LogOutput]:
    """Make the factory that structlog asks for: all loggers of a process share one output."""
    output = LogOutput(stream)

    def factory(*_: Any) -> LogOutput:  # noqa: ANN401 - whatever structlog passes
        return output

    return factory
