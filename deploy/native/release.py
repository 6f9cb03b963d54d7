"""Which version of a process runs: the project's, and the last commit that touched what the process is made of."""

import subprocess
import tomllib
from pathlib import Path

SHARED = ("mesh", "proto")
LOG = ("log", "-1", "--format=%h")
STATUS = ("status", "--porcelain")


def version(checkout: Path, name: str) -> str:
    """Say it as in `0.1.0+1a2b3c4`, with `.dirty` for what is not committed; without git, the project's alone."""
    project = str(tomllib.loads((checkout / "pyproject.toml").read_text())["project"]["version"])
    own = [path for path in (*SHARED, "services/common", f"services/{name}") if (checkout / path).is_dir()]
    paths = own if f"services/{name}" in own else SHARED
    try:
        commit = _git(checkout, *LOG, "--", *paths)
        return f"{project}+{commit}{'.dirty' if _git(checkout, *STATUS, '--', *paths) else ''}" if commit else project
    except (OSError, subprocess.CalledProcessError):
        return project


def _git(checkout: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", checkout, *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()
