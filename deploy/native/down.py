"""`make down`: ends every program of the stack in the order of the stages, backwards, and whatever was left of them."""

from collections.abc import Mapping, Sequence

from deploy.native import command_line, components, orphans, processes, programs, secrets
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
    if not processes.of_stack(runtime.root):
        return "nothing runs"
    with exclusive(runtime):
        kept = secrets.ensure(runtime.root, runtime.topology.services)
        supervisor = Supervisor(runtime, kept)
        located = components.locate(cache=components.cache_directory(), versions=runtime.versions)
        catalogue = programs.every(runtime, located)
        stopped = _stop(supervisor, catalogue) if supervisor.answers() else 0
        ended = orphans.end(runtime.root, catalogue)
    told = [f"{stopped} programs stopped"] * bool(stopped) + [f"{ended} orphans ended"] * bool(ended)
    return ", ".join(told)


def _stop(supervisor: Supervisor, catalogue: Mapping[str, Program]) -> int:
    """Stop those in front first, so that nobody loses what he stands on before he is done."""
    running = [state.name for state in supervisor.states() if state.pid]
    for stage in sorted(Stage, reverse=True):
        supervisor.stop(name for name in running if name in catalogue and catalogue[name].stage is stage)
    supervisor.shut_down()
    return len(running)
