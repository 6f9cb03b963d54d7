"""What is counted, and for whom."""

from typing import Any

import pytest

from gateway import EdgeSettings
from gateway.rates import allowances

# Which of the three facts of a call a descriptor needs.
USER = {"rate": "DEFAULT", "user": None}
ANONYMOUS = {"rate": "DEFAULT", "anonymous": "yes", "remote_address": None}
STRICT = {"rate": "STRICT", "remote_address": None}


@pytest.fixture(scope="module")
def config() -> dict[str, Any]:
    """Build the filter with figures that are told apart."""
    figures = (
        "rates.DEFAULT.requests=20",
        "rates.DEFAULT.seconds=2",
        "rates.DEFAULT.burst=40",
        "rates.STRICT.requests=3",
        "rates.STRICT.seconds=9",
        "rates.STRICT.burst=6",
    )
    return allowances(EdgeSettings.load(overrides=figures))


@pytest.mark.parametrize(
    ("facts", "requests", "interval"), [(USER, 20, "2s"), (ANONYMOUS, 20, "2s"), (STRICT, 3, "9s")]
)
def test_each_kind_of_client_has_the_allowance_of_its_class(
    config: dict[str, Any], facts: dict[str, str | None], requests: int, interval: str
) -> None:
    """A bucket for each value of what is not given: the user, the address."""
    (bucket,) = [
        each["token_bucket"]
        for each in config["descriptors"]
        if {entry["key"]: entry.get("value") for entry in each["entries"]} == facts
    ]

    assert bucket == {"max_tokens": 2 * requests, "tokens_per_fill": requests, "fill_interval": interval}


def test_no_two_allowances_are_for_the_same_call(config: dict[str, Any]) -> None:
    """A known user's address is counted for the strict class only."""
    assert len(config["descriptors"]) == 3


def test_what_no_class_limits_is_not_limited(config: dict[str, Any]) -> None:
    """The API page is no method; a call that has a class does not draw from that bucket too."""
    assert config["token_bucket"]["max_tokens"] > 1_000_000_000
    assert config["always_consume_default_token_bucket"] is False


def test_a_refusal_says_when_to_come_again(config: dict[str, Any]) -> None:
    """With Retry-After, and with RESOURCE_EXHAUSTED over gRPC, where Envoy would say UNAVAILABLE."""
    assert config["enable_retry_after_header"]
    assert config["rate_limited_as_resource_exhausted"]
