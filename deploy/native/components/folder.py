"""Folders of the cache that are there completely or not at all, whoever else is making them at the time."""

import shutil
import stat
from collections.abc import Callable
from pathlib import Path

from tools.environment import exclusive


def make(folder: Path, fill: Callable[[Path], None]) -> bool:
    """Let `fill` make the content elsewhere and move it here in one step; tell whether that was needed.

    One process works at a time; the others wait and find the result. What an earlier attempt left is removed.
    """
    if folder.is_dir():
        return False
    with exclusive(folder.with_name(f".{folder.name}.lock")):
        if folder.is_dir():
            return False
        partial = folder.with_name(f".{folder.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        try:
            fill(partial)
            open_to_all(partial)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
        partial.rename(folder)
    return True


def open_to_all(folder: Path) -> None:
    """Let every user read it, whatever the umask: under root, PostgreSQL runs as `nobody`."""
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            mode = path.stat().st_mode
            runs = mode & stat.S_IXUSR
            path.chmod(stat.S_IMODE(mode) | stat.S_IRGRP | stat.S_IROTH | runs >> 3 | runs >> 6)
