"""`make up`: from whatever is there to a stack that runs and is healthy; what is as it should be is left alone."""

import contextlib
import fcntl
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

from deploy.native import command_line, components, conclusion, demo, orphans, ports, programs, provision, secrets
from deploy.native.components import Components
from deploy.native.errors import StackError
from deploy.native.programs import Program, Stage
from deploy.native.runtime import Runtime
from deploy.native.secrets import Secrets
from deploy.native.starting import start
from deploy.native.steps import Report, Step, run
from deploy.native.supervisor import Supervisor

NOTICEABLE_S = 0.5
UNCHANGED = ": unchanged"
# What a component has to have before others may use it. Each waits by itself for what it provisions.
PROVISIONED: Mapping[str, tuple[tuple[str, Callable[[Runtime], str]], ...]] = {
    "postgres": (
        ("databases", provision.databases),
        ("migrations", provision.migrations),
        ("slots", provision.slots),
    ),
    "kafka": (("access", provision.access), ("topics", provision.topics)),
    "consul": (("acl", provision.consul), ("intentions", provision.intentions)),
}
FIRST = ("migrations", "slots", "topics", "intentions")


def command(argv: Sequence[str]) -> None:
    """Bring the stack up and say where to look."""
    parser = command_line.parser("up", __doc__)
    parser.add_argument("--no-demo", dest="demo", action="store_false", help="place no order at the end")
    options = parser.parse_args(argv)
    runtime, began = command_line.this_stack(), time.monotonic()
    changes = bring_up(runtime, tell)
    if changes and options.demo:
        demo.run(runtime)
    print(conclusion.of(runtime, changes, time.monotonic() - began))


def tell(name: str, said: str, seconds: float) -> None:
    """Print a step that is done; one that took no time and changed nothing is left out."""
    if said or seconds >= NOTICEABLE_S:
        print(f"{seconds:6.1f} s  {name:16} {said}".rstrip(), flush=True)


def bring_up(runtime: Runtime, report: Report) -> list[str]:
    """Install, configure, start and provision everything; answers what was changed, nothing if nothing was.

    Raises StackError with what a person can mend.
    """
    timed = partial(_timed, report)
    timed("install", lambda: _install(runtime))
    with exclusive(runtime):
        kept = secrets.ensure(runtime.root, runtime.topology.services, runtime.topology.consumers)
        located = components.locate(cache=components.cache_directory(), versions=runtime.versions)
        changes = timed("settings", lambda: _configure(runtime, located, kept))
        catalogue = programs.every(runtime, located)
        supervisor = Supervisor(runtime, kept)
        supervisor.configure(catalogue, located)
        if running := supervisor.answers():
            changes += timed("supervisor", lambda: _update(supervisor))
        else:
            changes += timed("orphans", lambda: _clear(runtime, catalogue))
        changes += timed("storage", lambda: "; ".join(programs.prepare(runtime, located, kept)))
        if not running:
            changes += timed("supervisor", lambda: supervisor.start(located))
        return [*filter(None, changes), *run(plan(runtime, supervisor, catalogue), report)]


def plan(runtime: Runtime, supervisor: Supervisor, catalogue: Mapping[str, Program]) -> list[Step]:
    """Lay out what has to be there before what."""
    steps = [
        Step(name, partial(start, program, supervisor, runtime), _needs(program, catalogue))
        for name, program in catalogue.items()
    ]
    for component, actions in PROVISIONED.items():
        needs = component
        for name, action in actions:
            steps.append(Step(name, partial(_changes, action, runtime), (needs,)))
            needs = name
    carried = ("connect", "slots", "topics")
    steps.append(Step("connectors", partial(_changes, provision.connectors, runtime), carried))
    everything = (*catalogue, "connectors")
    steps.append(Step("catalogue", partial(_changes, provision.seed, runtime), everything))
    return steps


def _needs(program: Program, catalogue: Mapping[str, Program]) -> tuple[str, ...]:
    """Services come up in any order, but no sooner than what all of them stand on."""
    control_planes = tuple(name for name, each in catalogue.items() if each.stage is Stage.CONTROL_PLANE)
    return {
        Stage.INFRASTRUCTURE: (),
        Stage.CONNECT: ("access",),
        Stage.CONTROL_PLANE: ("acl",),
        Stage.SERVICE: (*FIRST, *control_planes),
        Stage.EDGE: control_planes,
    }[program.stage]


@contextlib.contextmanager
def exclusive(runtime: Runtime) -> Iterator[None]:
    """Let one command at a time change the stack."""
    runtime.root.mkdir(parents=True, exist_ok=True)
    with (runtime.root / ".lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("waiting for another make up or make down to end …", flush=True)
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _install(runtime: Runtime) -> str:
    components.install(cache=components.cache_directory(), versions=runtime.versions, report=components.show)
    return ""


def _configure(runtime: Runtime, located: Components, kept: Secrets) -> str:
    """Write every setting before anything starts, so that it is known which programs changed."""
    programs.configure(runtime, located, kept)
    written = [action(runtime) for action in (provision.services, provision.edge, provision.credentials)]
    return "; ".join(text for text in written if not text.endswith(UNCHANGED))


def _update(supervisor: Supervisor) -> str:
    """Stop what has to be started anew."""
    changed = supervisor.update()
    return f"changed: {', '.join(changed)}" if changed else ""


def _clear(runtime: Runtime, catalogue: Mapping[str, Program]) -> str:
    """End what is left of an earlier start, and look whether somebody else is in the way."""
    ended = orphans.end(runtime.root, catalogue)
    wanted = {port: name for name, program in catalogue.items() for port in program.ports}
    wanted[runtime.port("supervisor", "http")] = "supervisor"
    if taken := ports.taken(wanted):
        told = "\n".join(f"  {port} for {wanted[port]}: {holder}" for port, holder in taken.items())
        raise StackError(f"Ports are taken:\n{told}\nEnd what holds them, or set ORDERMESH_PORT_OFFSET=10000.")
    return f"{ended} ended" if ended else ""


def _changes(action: Callable[[Runtime], str], runtime: Runtime) -> str:
    said = action(runtime)
    return "" if said.endswith(UNCHANGED) else said


def _timed(report: Report, name: str, action: Callable[[], str]) -> list[str]:
    began = time.monotonic()
    said = action()
    report(name, said, time.monotonic() - began)
    return [said]
