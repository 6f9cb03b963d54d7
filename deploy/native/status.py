"""`make status`: how every program of the stack is, and the memory that all of it takes."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from deploy.native import command_line, components, connect_api, health, policy, processes, programs, refusals, secrets
from deploy.native.errors import StackError
from deploy.native.processes import Table
from deploy.native.programs import Program
from deploy.native.runtime import Runtime
from deploy.native.supervisor import State, Supervisor

MIB = 1024 * 1024
HEADINGS = ("program", "state", "pid", "uptime", "memory", "port")
RIGHT_ALIGNED = {"pid", "uptime", "memory", "port"}


@dataclass(frozen=True, slots=True)
class Line:
    """One program; `memory` is in bytes, `complaint` is empty for one that is well."""

    program: Program
    state: State
    memory: int
    complaint: str

    @property
    def columns(self) -> tuple[str, ...]:
        """What is printed, as HEADINGS names it."""
        state = f"{self.state.state.lower()}, {self.complaint}" if self.complaint else "healthy"
        port = str(self.program.ports[0]) if self.program.ports else "socket"
        if not self.state.pid:
            return (self.program.name, self.state.state.lower(), "-", "-", "-", port)
        uptime = duration(self.state.now - self.state.started_at)
        return (self.program.name, state, str(self.state.pid), uptime, megabytes(self.memory), port)


def command(argv: Sequence[str]) -> None:
    """Print the table; exit with 1 when something is not well."""
    command_line.parser("status", __doc__).parse_args(argv)
    runtime = command_line.this_stack()
    rows = lines(runtime)
    if not rows:
        raise StackError("the stack does not run; start it with: make up")
    print(f"{table(rows)}\n\n{megabytes(total_memory(runtime))} in all")
    rejected = [*policy.complaints(runtime), *refusals.complaints(runtime), *connect_api.complaints(runtime)]
    print("".join(f"{line}\n" for line in rejected), end="")
    if rejected or any(row.complaint for row in rows):
        sys.exit(1)


def lines(runtime: Runtime) -> list[Line]:
    """Look at every program; empty when the supervisor does not run."""
    if not (runtime.root / secrets.FILE_NAME).exists():
        return []
    supervisor = Supervisor(runtime, secrets.ensure(runtime.root, runtime.topology.services))
    if not supervisor.answers():
        return []
    located = components.locate(cache=components.cache_directory(), versions=runtime.versions)
    catalogue = programs.every(runtime, located)
    states = {state.name: state for state in supervisor.states()}
    known = [program for name, program in catalogue.items() if name in states]
    return _look(known, states)


def total_memory(runtime: Runtime) -> int:
    """Sum up what the supervisor and all below it take, in bytes."""
    supervisor = Supervisor(runtime, secrets.ensure(runtime.root, runtime.topology.services))
    return processes.memory(Table.read().family(supervisor.pid()))


def table(rows: Iterable[Line]) -> str:
    """Lay the lines out for a terminal."""
    cells = [HEADINGS, *(row.columns for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if heading in RIGHT_ALIGNED else cell.ljust(width)
            for cell, width, heading in zip(row, widths, HEADINGS, strict=True)
        ).rstrip()
        for row in cells
    )


def duration(seconds: int) -> str:
    """Write a time as people do, such as 3 h 12 min."""
    if seconds < 60:  # noqa: PLR2004 - of a minute
        return f"{max(seconds, 0)} s"
    minutes = seconds // 60
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"  # noqa: PLR2004 - of an hour


def megabytes(size: int) -> str:
    """Write a size in bytes as MB."""
    return f"{size / MIB:.0f} MB"


def _look(known: Iterable[Program], states: Mapping[str, State]) -> list[Line]:
    below = Table.read()
    with ThreadPoolExecutor() as pool:
        asked = [(program, states[program.name], pool.submit(health.complaint, program)) for program in known]
        return [
            Line(program, state, processes.memory(below.family(state.pid)) if state.pid else 0, trouble.result())
            for program, state, trouble in asked
        ]
