"""What was written down of each call, and what it proves."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

ONCE = "ONCE"
"""The class of calls that infrastructure never repeats."""


@dataclass(frozen=True)
class Call:
    """One call; times in seconds since 1970. `code` is OK, a gRPC code, or the state of an order not confirmed."""

    via: str
    method: str
    idempotency: str
    begun: float
    ended: float
    code: str
    details: str = ""

    @property
    def repeatable(self) -> bool:
        """Whether its contract lets infrastructure try it again."""
        return self.idempotency != ONCE

    def under_way(self, told: float, gone: float) -> bool:
        """Whether it had been sent before the one and not been answered before the other."""
        return self.begun <= gone and told <= self.ended

    def __str__(self) -> str:
        return f"{self.via}, {self.method} ({self.idempotency}): {self.code} {self.details[:200]}"


class Calls:
    """Some calls."""

    def __init__(self, calls: Iterable[Call]) -> None:
        """Keep them as they come."""
        self._calls = tuple(calls)

    def __iter__(self) -> Iterator[Call]:
        return iter(self._calls)

    def __len__(self) -> int:
        return len(self._calls)

    def where(self, holds: Callable[[Call], bool]) -> "Calls":
        """Choose."""
        return Calls(filter(holds, self))

    @property
    def failed(self) -> "Calls":
        """Those that were not answered as they should have been."""
        return self.where(lambda call: call.code != "OK")

    @property
    def repeatable(self) -> "Calls":
        """Those that infrastructure may try again."""
        return self.where(lambda call: call.repeatable)

    @property
    def longest_wait(self) -> float:
        """The longest that one took, in seconds."""
        return round(max((call.ended - call.begun for call in self), default=0.0), 1)

    def told(self) -> list[str]:
        """Say what failed and how often, for an assertion that shows it."""
        return [f"{count} x {call}" for call, count in Counter(map(str, self.failed)).most_common(20)]

    def figures(self) -> dict[str, object]:
        """Sum up for the report: by way, how many calls, how many failed and how, and how long they took."""
        ways = sorted({call.via for call in self})
        return {via: _figures([call for call in self if call.via == via]) for via in ways}


def _figures(calls: list[Call]) -> dict[str, object]:
    took = sorted(call.ended - call.begun for call in calls)
    return {
        "calls": len(calls),
        "failed": dict(Counter(f"{call.code} ({call.idempotency})" for call in calls if call.code != "OK")),
        "p50_ms": round(took[len(took) // 2] * 1000, 1),
        "p99_ms": round(took[len(took) * 99 // 100] * 1000, 1),
        "longest_ms": round(took[-1] * 1000),
    }
