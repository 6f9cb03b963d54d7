"""What the processes of the stack take, by program: CPU time and memory, as the kernel counts them."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.errors import BenchError
from deploy.native import processes
from deploy.native.processes import Table

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
# Places in /proc/<pid>/stat after the name: utime, stime, and the same of children that have ended (proc_pid_stat(5)).
CPU_FIELDS = slice(11, 15)

Pids = Mapping[str, int]
"""The first process of each program."""
Spent = dict[str, float]
"""CPU seconds by program."""


@dataclass(frozen=True, slots=True)
class Cpu:
    """The CPU seconds that each program has used since its start."""

    seconds: Mapping[str, float]

    @classmethod
    def read(cls, pids: Pids, proc: Path = processes.PROC) -> "Cpu":
        """Look at every program with all it started. Raises BenchError for one that has ended."""
        return cls({name: _cpu_of(name, family, proc) for name, family in families(pids, Table.read()).items()})

    def since(self, before: "Cpu") -> Spent:
        """Tell what was used between two looks at the same programs."""
        return {name: seconds - before.seconds[name] for name, seconds in self.seconds.items()}


def memory(pids: Pids) -> dict[str, int]:
    """Sum up what each program takes in bytes; memory that several processes share counts in parts (PSS)."""
    return {name: processes.memory(family) for name, family in families(pids, Table.read()).items()}


def families(pids: Pids, table: Table) -> dict[str, set[int]]:
    """Find all processes of each program: its first with all that it started, but for other programs among them."""
    found = {name: table.family(pid) for name, pid in pids.items()}
    inner = {
        name: [found[other] for other, pid in pids.items() if other != name and pid in found[name]] for name in pids
    }
    return {name: family.difference(*inner[name]) for name, family in found.items()}


def cpu_seconds(stat: str) -> float:
    """Read the CPU time from a line of /proc/<pid>/stat: its own, and that of children it has waited for.

    With the latter nothing is lost when a process of a program ends, such as a backend of PostgreSQL.
    """
    # The name may contain anything, even parentheses and spaces.
    fields = stat.rpartition(")")[2].split()
    return sum(map(int, fields[CPU_FIELDS])) / TICKS_PER_SECOND


def _cpu_of(program: str, pids: Iterable[int], proc: Path) -> float:
    stats = [stat for pid in pids if (stat := _stat(proc / str(pid) / "stat"))]
    if not stats:
        raise BenchError(f"{program} has ended; see make logs s={program}, and run make up")
    return sum(map(cpu_seconds, stats))


def _stat(file: Path) -> str:
    """Read the line; empty when the process has just ended."""
    try:
        return file.read_text(errors="replace")
    except OSError:
        return ""
