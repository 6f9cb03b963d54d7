"""Runs the tools that fetch and build components, and tells their failure in full."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from deploy.native.errors import InstallError


def run(command: Sequence[str | Path], *, cwd: Path, environ: Mapping[str, str] | None = None) -> None:
    """Run a command quietly; raise InstallError with all it said when it fails."""
    finished = subprocess.run(
        command,
        cwd=cwd,
        env=environ,
        check=False,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    if finished.returncode:
        line = " ".join(map(str, command))
        raise InstallError(f"{line} failed with {finished.returncode}:\n{finished.stdout.strip()}")
