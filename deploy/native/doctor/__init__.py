"""`make doctor`: looks at the machine and at what runs, and says for each problem what to do."""

import sys
from collections.abc import Iterator, Sequence

from deploy.native import command_line, secrets
from deploy.native.doctor import machine, running
from deploy.native.doctor.finding import Finding
from deploy.native.runtime import Runtime
from deploy.native.supervisor import Supervisor

__all__ = ["Finding", "command", "examine"]


def command(argv: Sequence[str]) -> None:
    """Print what is found; exit with 1 when there is a problem."""
    command_line.parser("doctor", __doc__).parse_args(argv)
    problems = 0
    for finding in examine(command_line.this_stack()):
        print(finding, flush=True)
        problems += bool(finding.advice)
    sys.exit(min(problems, 1))


def examine(runtime: Runtime) -> Iterator[Finding]:
    """Look at everything, the machine first; what only a running stack has is left out of one that does not run."""
    yield from machine.tools(runtime)
    yield from machine.installed(runtime)
    runs = (runtime.root / secrets.FILE_NAME).exists() and _supervisor(runtime).answers()
    yield from machine.resources(runtime, runs=runs)
    yield from machine.private_files(runtime)
    if runs:
        yield from running.programs(runtime)
        yield from running.slots(runtime)
        yield from running.connectors(runtime)
        yield from running.consumers(runtime)
        yield from running.policies(runtime)
    else:
        yield from machine.free_ports(runtime)
        yield Finding("the stack does not run (make up starts it)")


def _supervisor(runtime: Runtime) -> Supervisor:
    return Supervisor(runtime, secrets.ensure(runtime.root, runtime.topology.services))
