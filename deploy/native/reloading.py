"""Has a running Envoy take up what has changed, without a pause: a new one takes over (deploy.native.hot_restart).

What it was told last is noted, so that a reload which did not come about is made up for by the next `make up`.
"""

import contextlib
import time
from collections.abc import Sequence
from pathlib import Path

from deploy.native import command_line, components, health, programs, secrets
from deploy.native.errors import StackError
from deploy.native.programs import Program
from deploy.native.programs.edge import NAME
from deploy.native.runtime import Runtime
from deploy.native.supervisor import Supervisor

PATIENCE_S = 60
PAUSE_S = 0.1


def command(argv: Sequence[str]) -> None:
    """Put a new Envoy in the place of the one that runs."""
    command_line.parser("edge-restart", __doc__).parse_args(argv)
    runtime = command_line.this_stack()
    located = components.locate(cache=components.cache_directory(), versions=runtime.versions)
    supervisor = Supervisor(runtime, secrets.ensure(runtime.root, runtime.topology.services))
    if not supervisor.answers() or not supervisor.state(NAME).runs:
        raise StackError("the edge does not run; start it with: make up")
    print(reload(programs.every(runtime, located)[NAME], supervisor, runtime))


def is_due(program: Program, runtime: Runtime) -> bool:
    """Tell whether something has changed that it has not been told."""
    noted = _note(program, runtime)
    return bool(program.reloads) and (not noted.exists() or noted.read_text() != program.reload_digest)


def note(program: Program, runtime: Runtime) -> None:
    """Keep in mind that it knows everything."""
    if program.reloads:
        _note(program, runtime).write_text(program.reload_digest)


def reload(program: Program, supervisor: Supervisor, runtime: Runtime) -> str:
    """Let a new one take over, wait until it has, and say so. Raises StackError when it refuses to."""
    before, deadline = health.epoch(program), time.monotonic() + PATIENCE_S
    supervisor.hang_up(program.name)
    while time.monotonic() < deadline:
        with contextlib.suppress(*health.ERRORS):
            if health.epoch(program) > before and not health.complaint(program):
                note(program, runtime)
                return f"{program.name} took up its new configuration"
        time.sleep(PAUSE_S)
    raise StackError(f"{program.name} goes on with its old configuration; see why: make logs s={program.name}")


def _note(program: Program, runtime: Runtime) -> Path:
    return runtime.data(program.name) / "told"
