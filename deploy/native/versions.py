"""`deploy/versions.toml`: where each component comes from and at which version it is pinned."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Source = Literal["pypi", "go", "maven"]


@dataclass(frozen=True, slots=True)
class Pin:
    """One component; `origin` is its PyPI package or Go module, or empty where a pom names it."""

    name: str
    source: Source
    version: str
    origin: str = ""


def read_pins(file: Path) -> Mapping[str, Pin]:
    """Read every pin of the file, by component."""
    raw = tomllib.loads(file.read_text(encoding="utf-8"))
    return {
        name: Pin(name, entry["source"], entry["version"], entry.get("package") or entry.get("module") or "")
        for name, entry in raw.items()
    }
