"""The figures of a run: each test notes its own, and all of them end in build/chaos.json and on the terminal."""

import json
from pathlib import Path

from tests.stack import CHECKOUT

FILE = CHECKOUT / "build" / "chaos.json"


class Report:
    """What the tests noted, by test."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.figures: dict[str, dict[str, object]] = {}

    def note(self, test: str, **figures: object) -> None:
        """Keep figures of a test."""
        self.figures.setdefault(test, {}).update(figures)

    def write(self, file: Path = FILE) -> None:
        """Leave them for people and programs."""
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps(self.figures, indent=1) + "\n")

    def lines(self) -> list[str]:
        """Write each test's figures as a line."""
        return [f"{test}: {json.dumps(figures)}" for test, figures in self.figures.items()]
