"""Ends what a supervisor that was killed has left behind, in the order of a stop."""

from collections.abc import Mapping
from pathlib import Path

from deploy.native import processes
from deploy.native.programs import Program, Stage


def end(root: Path, catalogue: Mapping[str, Program]) -> int:
    """End every process of the stack in `root`, and answer how many there were.

    Those in front go first: Connect cannot leave once the broker is gone, nor a service once Consul is. What
    the catalogue does not know, such as a supervisor that hangs and would restart the others, goes before all.
    """
    found = processes.of_stack(root)
    known = {pid: catalogue[name].stage for pid, name in found.items() if name in catalogue}
    processes.end(found.keys() - known.keys())
    for stage in sorted(Stage, reverse=True):
        processes.end(pid for pid, its in known.items() if its is stage)
    return len(found)
