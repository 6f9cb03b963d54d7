"""What the kernel knows of the processes of a stack: which they are, who started whom, what memory they take."""

import os
import signal
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
# Stands in the environment of the supervisor and so of all it starts; a person's shell never has it.
MARK = "ORDERMESH_STACK"
# Set by the supervisor for each program.
NAME = "SUPERVISOR_PROCESS_NAME"
PAUSE_S = 0.05
KILL_PATIENCE_S = 10.0
KIB = 1024


@dataclass(frozen=True, slots=True)
class Table:
    """Every process of the machine by its id, with its parent, at one moment."""

    parents: Mapping[int, int]

    @classmethod
    def read(cls) -> "Table":
        """Read it now."""
        return cls({pid: parent for pid in _pids() if (parent := _parent(pid)) is not None})

    def family(self, pid: int) -> set[int]:
        """Answer a process with all that it started, and those started, if it is there."""
        children = defaultdict(list)
        for child, parent in self.parents.items():
            children[parent].append(child)
        found, open_ = set(), [pid] if pid in self.parents else []
        while open_:
            found.add(current := open_.pop())
            open_ += children[current]
        return found


def of_stack(root: Path) -> dict[int, str]:
    """Find the processes that the supervisor of the stack in `root` started, and their programs' names.

    It is there itself, without a name.
    """
    environments = {pid: _environment(pid) for pid in _pids()}
    return {pid: told.get(NAME, "") for pid, told in environments.items() if told.get(MARK) == str(root)}


def command(pid: int) -> str:
    """Say what a process is, as its command line."""
    return _read(pid, "cmdline").replace(b"\0", b" ").decode(errors="replace").strip()


def memory(pids: Iterable[int]) -> int:
    """Sum up what they take in bytes; what is shared by several processes counts in parts (PSS)."""
    return sum(_proportional(pid) for pid in pids)


def end(pids: Iterable[int], *, patience_s: float = 20.0) -> None:
    """Ask processes to end, and make those that are still there after `patience_s`.

    All of ours take SIGINT for a request to stop; PostgreSQL would wait for its clients to leave on SIGTERM.
    """
    asked = list(pids)
    for pid in asked:
        _signal(pid, signal.SIGINT)
    if not wait_until(lambda: not any(map(alive, asked)), patience_s):
        kill(filter(alive, asked))


def kill(pids: Iterable[int]) -> None:
    """End processes at once, and wait until they are gone."""
    asked = list(pids)
    for pid in asked:
        _signal(pid, signal.SIGKILL)
    wait_until(lambda: not any(map(alive, asked)), KILL_PATIENCE_S)


def alive(pid: int) -> bool:
    """Tell whether a process runs; one that ended and that nobody asked about does not."""
    return _state(pid) not in {"", "Z", "X"}


def wait_until(done: Callable[[], bool], patience_s: float) -> bool:
    """Wait for a condition; tell whether it came."""
    deadline = time.monotonic() + patience_s
    while not done():
        if time.monotonic() > deadline:
            return False
        time.sleep(PAUSE_S)
    return True


def _pids() -> list[int]:
    return [int(entry.name) for entry in PROC.iterdir() if entry.name.isdecimal()]


def _signal(pid: int, name: signal.Signals) -> None:
    try:
        os.kill(pid, name)
    except ProcessLookupError:
        return


def _stat(pid: int) -> list[str]:
    """Split what follows the name in /proc/<pid>/stat, which may have spaces: state, parent and so on."""
    return _read(pid, "stat").decode(errors="replace").rpartition(")")[2].split()


def _state(pid: int) -> str:
    return next(iter(_stat(pid)), "")


def _parent(pid: int) -> int | None:
    fields = _stat(pid)
    return int(fields[1]) if fields else None


def _environment(pid: int) -> Mapping[str, str]:
    pairs = _read(pid, "environ").decode(errors="replace").split("\0")
    return dict(pair.split("=", 1) for pair in pairs if "=" in pair)


def _proportional(pid: int) -> int:
    for line in _read(pid, "smaps_rollup").splitlines():
        if line.startswith(b"Pss:"):
            return int(line.split()[1]) * KIB
    return 0


def _read(pid: int, name: str) -> bytes:
    """Read a file of a process; empty when it has ended or is not ours to look at."""
    try:
        return (PROC / str(pid) / name).read_bytes()
    except OSError:
        return b""
