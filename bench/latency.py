"""How long calls took: rates and percentiles of what was measured, all in seconds."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Latency:
    """The spread of durations in seconds; all are NaN when nothing was measured."""

    count: int
    p50: float
    p95: float
    p99: float
    longest: float

    @classmethod
    def of(cls, seconds: Iterable[float]) -> "Latency":
        """Sort them once and look."""
        ordered = sorted(seconds)
        return cls(
            count=len(ordered),
            p50=percentile(ordered, 50),
            p95=percentile(ordered, 95),
            p99=percentile(ordered, 99),
            longest=percentile(ordered, 100),
        )


def percentile(ordered: Sequence[float], percent: float) -> float:
    """Give the smallest value that `percent` of the values do not exceed (nearest rank); NaN when there are none.

    It is always a value that was measured, never one between two.
    """
    if not ordered:
        return math.nan
    rank = math.ceil(percent / 100 * len(ordered))
    return ordered[max(rank, 1) - 1]
