"""`make down`: ends every program of the stack in the order of the stages, backwards, and whatever was left of them."""

from collections.abc import Mapping, Sequence

from deploy.native import command_line, components, processes, programs, secrets
from deploy.native.programs import Program, Stage
from deploy.native.runtime import Runtime
from deploy.native.supervisor import Supervisor
from deploy.native.up import exclusive


def command(argv: Sequence[str]) -> None:
    """Stop the stack and say what was stopped."""
    command_line.parser("down", __doc__).parse_args(argv)
    print(bring_down(command_line.this_stack()))


def bring_down(runtime: Runtime) -> str:
    """End everything and say what was ended; the data stays."""
    if not runtime.root.exists():
        return "nothing runs"
    with exclusive(runtime):
        kept = secrets.ensure(runtime.root, runtime.topology.services)
        supervisor = Supervisor(runtime, kept)
        stopped = _stop(runtime, supervisor) if supervisor.answers() else 0
        orphans = processes.of_stack(runtime.root)
        processes.end(orphans)
    told = [f"{stopped} programs stopped"] * bool(stopped) + [f"{len(orphans)} orphans ended"] * bool(orphans)
    return ", ".join(told) or "nothing runs"


def _stop(runtime: Runtime, supervisor: Supervisor) -> int:
    """Stop those in front first, so that nobody loses what he stands on before he is done."""
    located = components.locate(cache=components.cache_directory(), versions=runtime.versions)
    catalogue: Mapping[str, Program] = programs.every(runtime, located)
    running = [state.name for state in supervisor.states() if state.pid]
    for stage in sorted(Stage, reverse=True):
        supervisor.stop(name for name in running if name in catalogue and catalogue[name].stage is stage)
    supervisor.shut_down()
    return len(running)
