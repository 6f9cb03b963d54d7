"""`deploy/versions.toml`: where each component comes from and at which version it is pinned."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Source = Literal["pypi", "go", "maven"]
ORIGINS = ("package", "module", "artifact")


@dataclass(frozen=True, slots=True)
class Pin:
    """One component; `origin` is its PyPI package, Go module or Maven artifact, or empty where a pom names it."""

    name: str
    source: Source
    version: str
    origin: str = ""


def read_pins(file: Path) -> Mapping[str, Pin]:
    """Read every pin of the file, by component."""
    raw = tomllib.loads(file.read_text(encoding="utf-8"))
    return {
        name: Pin(name, entry["source"], entry["version"], next((entry[key] for key in ORIGINS if key in entry), ""))
        for name, entry in raw.items()
    }
