"""What the rate limit service is told, and who asks it."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from gateway import EdgeSettings, Options, render, render_routes
from gateway.rates import allowances
from gateway.shared_rates import service_configuration


def described(tree: Any, path: tuple[tuple[str, str], ...] = ()) -> Iterator[tuple[tuple[str, str], ...]]:  # noqa: ANN401
    """List who is counted, as entries of key and value."""
    for each in tree.get("descriptors", ()):
        here = (*path, (each["key"], each.get("value", "")))
        if "rate_limit" in each:
            yield here
        yield from described(each, here)


def test_the_same_callers_are_counted_by_edge_and_service() -> None:
    """Or one of them would let pass what the other counts."""
    settings = EdgeSettings.load()
    by_edge = {
        tuple((entry["key"], entry.get("value", "")) for entry in each["entries"])
        for each in allowances(settings)["descriptors"]
    }

    assert set(described(service_configuration(settings))) == by_edge


def test_a_window_has_room_for_what_may_come_at_once() -> None:
    """By the minute, as the figures are."""
    strict = service_configuration(EdgeSettings.load())["descriptors"][1]["descriptors"][0]

    assert strict["rate_limit"] == {"unit": "minute", "requests_per_unit": EdgeSettings.load().rates["STRICT"].burst}


def test_what_the_service_cannot_count_is_refused() -> None:
    """Rather than counted wrong."""
    with pytest.raises(ValueError, match="not 90"):
        service_configuration(EdgeSettings.load(overrides=("rates.DEFAULT.seconds=90",)))


def test_nobody_is_asked_unless_there_is_a_service(options: Options) -> None:
    """With one, its headers take the place of the edge's own."""
    shared = replace(options, shared_rates=9999)

    assert "ratelimit.v3.RateLimit" not in str(render(options))
    assert "ratelimit.v3.RateLimit" in str(render(shared))
    assert "'enable_x_ratelimit_headers': 'OFF'" in str(render_routes(shared))
