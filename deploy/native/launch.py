"""Becomes another program: as another user if told so, and once nobody works in a folder any more.

PostgreSQL needs both: it refuses to run as root, and to start while a child of one that was killed still lives.

    python -I launch.py [--user nobody] [--once-left FOLDER] PROGRAM …
"""

import argparse
import os
import pwd
import sys
import time
from collections.abc import Iterator
from pathlib import Path

PATIENCE_S = 60
PAUSE_S = 0.05
PROC = Path("/proc")


def main() -> None:
    """Wait, change the user, then be replaced by the program: it keeps our process id."""
    options = _parser().parse_args()
    if options.once_left:
        await_leaving(options.once_left)
    if options.user:
        become(options.user)
    os.execvp(options.program[0], options.program)  # noqa: S606 - the program is the point


def await_leaving(folder: Path, *, patience_s: float = PATIENCE_S) -> None:
    """Wait until no process has the folder as its working directory; give up with a message for the log."""
    deadline = time.monotonic() + patience_s
    while inside := list(processes_in(folder)):
        if time.monotonic() > deadline:
            sys.exit(f"processes {inside} still work in {folder} after {patience_s:.0f} s; end them first")
        time.sleep(PAUSE_S)


def processes_in(folder: Path) -> Iterator[int]:
    """Find the processes that work in a folder, as far as we may see them."""
    wanted = str(folder.resolve())
    for link in PROC.glob("[0-9]*/cwd"):
        try:
            if str(link.readlink()) == wanted:
                yield int(link.parent.name)
        except OSError:  # ended meanwhile, or somebody else's
            continue


def become(user: str) -> None:
    """Give up root for good."""
    account = pwd.getpwnam(user)
    os.setgroups([])
    os.setgid(account.pw_gid)
    os.setuid(account.pw_uid)
    os.environ.pop("HOME", None)
    os.chdir("/")  # It may not be let into where we are.


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("launch.py")
    parser.add_argument("--user", help="who to run as; needs root")
    parser.add_argument("--once-left", type=Path, metavar="FOLDER", help="wait until no process works in it")
    parser.add_argument("program", nargs=argparse.REMAINDER)
    return parser


if __name__ == "__main__":
    main()
