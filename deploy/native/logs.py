"""`make logs s=order`: what a program has written, and goes on writing."""

import os
from collections.abc import Sequence
from pathlib import Path

from deploy.native import command_line
from deploy.native.errors import StackError
from deploy.native.runtime import Runtime

DEFAULT_LINES = 50


def command(argv: Sequence[str]) -> None:
    """Become `tail`, on the log of a program or on those of all its replicas."""
    parser = command_line.parser("logs", __doc__)
    parser.add_argument("program", nargs="?", default="", help="such as order, kafka or edge")
    parser.add_argument("-f", "--follow", action="store_true", help="and each new line as it comes")
    parser.add_argument("-n", "--lines", type=int, default=DEFAULT_LINES, help="how many to begin with")
    options = parser.parse_args(argv)
    files = files_of(command_line.this_stack(), options.program)
    follow = ["-F"] if options.follow else []
    os.execvp("tail", ["tail", f"--lines={options.lines}", *follow, *map(str, files)])  # noqa: S606 - that of PATH


def files_of(runtime: Runtime, program: str) -> list[Path]:
    """Find the logs of a program; raise StackError with the names there are."""
    known = {file.stem: file for file in sorted(runtime.log("any").parent.glob("*.log"))}
    found = [file for name, file in known.items() if program and (name == program or name.startswith(f"{program}-"))]
    if not found:
        wanted = f"{program} has no log" if program else "say whose log: make logs s=order"
        raise StackError(f"{wanted}; there are: {', '.join(known) or 'none yet'}")
    return found
