"""Percentiles are values that were measured."""

import math

from bench.latency import Latency, percentile


def test_percentiles_are_of_the_nearest_rank() -> None:
    """Of the numbers 1 to 100, the 95th percentile is 95."""
    ordered = [float(number) for number in range(1, 101)]
    assert [percentile(ordered, each) for each in (1, 50, 95, 99, 100)] == [1, 50, 95, 99, 100]


def test_percentiles_of_few_values_are_among_them() -> None:
    """Nothing is made up between two values."""
    assert percentile([1.0, 9.0], 50) == 1.0
    assert percentile([1.0, 9.0], 95) == 9.0


def test_one_value_is_every_percentile() -> None:
    """There is nothing else to answer."""
    assert Latency.of([0.25]) == Latency(1, 0.25, 0.25, 0.25, 0.25)


def test_the_order_of_measuring_does_not_matter() -> None:
    """Durations come as calls end."""
    assert Latency.of([3.0, 1.0, 2.0]) == Latency(3, 2.0, 3.0, 3.0, 3.0)


def test_nothing_measured_is_not_fast() -> None:
    """A latency of 0 would be a lie."""
    nothing = Latency.of([])
    assert nothing.count == 0
    assert all(math.isnan(each) for each in (nothing.p50, nothing.p95, nothing.p99, nothing.longest))
