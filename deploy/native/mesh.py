"""`make mesh`: what every process of the mesh believes, told to this install's operator (mesh/operator)."""

import os
import sys
from collections.abc import Sequence

from deploy.native import command_line, components
from deploy.native.errors import StackError
from deploy.native.programs.ours import python_path
from deploy.native.secrets import OPERATOR

MODULE = "mesh.operator"


def command(argv: Sequence[str]) -> None:
    """Become the operator's command, with its settings; the arguments are its own."""
    runtime = command_line.this_stack()
    settings = runtime.env_file(OPERATOR)
    if not settings.exists():
        raise StackError("the stack was never started; start it with: make up")
    located = components.locate(cache=components.cache_directory(), versions=runtime.versions)
    environment = {"ORDERMESH_ENV_FILE": str(settings), "PYTHONPATH": python_path(runtime, located)}
    sys.stdout.flush()
    os.execve(sys.executable, [sys.executable, "-m", MODULE, *argv], {**os.environ, **environment})  # noqa: S606 - ours
