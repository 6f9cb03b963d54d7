"""What is counted while the soak runs: calls by how they ended, what customers were told, and what can't be true."""

import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field

MOST_SURPRISES = 50


@dataclass
class Tally:
    """Figures of all actors; each adds to them from the one event loop."""

    begun: float = field(default_factory=time.time)
    calls: Counter[tuple[str, str]] = field(default_factory=Counter)
    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    promised: dict[str, str] = field(default_factory=dict)
    """The state that each order was last answered to be in, by id; empty where the last answer was lost."""

    rejected: Counter[str] = field(default_factory=Counter)
    """Why orders were rejected."""

    given_up: int = 0
    """How often a customer stopped asking before they had an answer."""

    surprises: list[str] = field(default_factory=list)
    """Answers that must never be given, whatever dies."""

    def count(self, method: str, outcome: str, seconds: float) -> None:
        """Count a call: OK, or the status and reason it failed with."""
        self.calls[method, outcome] += 1
        if outcome == "OK":
            self.seconds[method].append(seconds)

    def surprise(self, what: str) -> None:
        """Keep what should not have been answered."""
        if len(self.surprises) < MOST_SURPRISES:
            self.surprises.append(what)

    def figures(self) -> dict[str, object]:
        """Sum up."""
        failed: dict[str, Counter[str]] = defaultdict(Counter)
        for (method, outcome), count in sorted(self.calls.items()):
            if outcome != "OK":
                failed[outcome][method] += count
        return {
            "calls": self.calls.total(),
            "failed": {outcome: dict(methods) for outcome, methods in failed.items()},
            "p95_ms": {method: percentile(took, 95) for method, took in sorted(self.seconds.items())},
            "rejected": dict(+self.rejected),
            "customers_gave_up": self.given_up,
        }


def percentile(seconds: list[float], percent: int) -> float:
    """Give the value that so many percent are not above, in milliseconds; 0 for none."""
    ranked = sorted(seconds)
    return round(ranked[min(len(ranked) * percent // 100, len(ranked) - 1)] * 1000, 1) if ranked else 0.0
