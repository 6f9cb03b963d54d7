"""Programs that a machine already has: used instead of ours when their version fits."""

import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

Version = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """A program on PATH, under the name that PATH has it by, and the version it says it is."""

    program: Path
    version: Version

    def __str__(self) -> str:
        return f"{self.program} ({'.'.join(map(str, self.version))})"


def find(program: str, path: str, arguments: Sequence[str] = ("--version",)) -> Found | None:
    """Find a program on `path` and ask its version; one that does not tell counts as absent."""
    found = shutil.which(program, path=path)
    if found is None:
        return None
    said = subprocess.run([found, *arguments], check=False, text=True, capture_output=True)
    version = parse(said.stdout + said.stderr)
    return Found(Path(found), version) if version else None


def parse(text: str) -> Version:
    """Read the first number with dots or in quotes, such as (1, 22, 7) of "Consul v1.22.7"; () without one."""
    found = re.search(r'\d+(?:\.\d+)+|(?<=")\d+(?=")', text)
    return tuple(int(part) for part in found[0].split(".")) if found else ()


def fits(version: Version, pinned: Version) -> bool:
    """Tell whether it can stand in for the pinned one: the same major version, and no older minor version."""
    return version[:1] == pinned[:1] and version[:2] >= pinned[:2]
