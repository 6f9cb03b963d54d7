"""Ends what a supervisor that was killed has left behind, in the order of a stop."""

from collections.abc import Mapping
from pathlib import Path

from deploy.native import processes
from deploy.native.programs import Program, Stage


def end(root: Path, catalogue: Mapping[str, Program]) -> int:
    """End every process of the stack in `root`, and answer how many there were.

    A supervisor that hangs is killed, or it would restart the others. Those in front go first: Connect cannot
    leave once the broker is gone, nor a service once Consul is. What the catalogue does not know is in front.
    """
    found = processes.of_stack(root)
    processes.kill(pid for pid, name in found.items() if not name)
    stages = {pid: catalogue[name].stage if name in catalogue else max(Stage) for pid, name in found.items() if name}
    for stage in sorted(Stage, reverse=True):
        processes.end(pid for pid, its in stages.items() if its is stage)
    return len(found)
