"""The list of reasons is complete and says something of each."""

import pytest

from gateway.errors import REFUSALS
from gateway.reasons import EDGE, Reason, reasons


@pytest.fixture(scope="module")
def listed() -> dict[tuple[str, int], Reason]:
    """All of them, by name and status."""
    return {(each.name, each.status): each for each in reasons()}


@pytest.mark.parametrize(
    ("name", "status", "source", "sentence"),
    [
        ("ORDER_NOT_FOUND", 404, "order", "There is no such order, or it is somebody else's"),
        ("INVALID_CREDENTIALS", 401, "auth", "Email or password is wrong"),
        ("PERMISSION_MISSING", 403, "any service", ""),
        ("IDEMPOTENCY_KEY_REUSED", 409, "any service", ""),
        ("INVALID_REQUEST", 400, "any service", "Invalid request"),
        ("RATE_LIMITED", 429, EDGE, "too many requests"),
    ],
)
def test_a_reason_is_listed_with_what_gives_it(
    listed: dict[tuple[str, int], Reason], name: str, status: int, source: str, sentence: str
) -> None:
    """From a class of errors, from a place that makes one, from the edge, and from several services."""
    assert listed[name, status].source == source
    assert listed[name, status].sentence.startswith(sentence)


def test_every_refusal_of_the_edge_is_listed(listed: dict[tuple[str, int], Reason]) -> None:
    """Also those that have only Envoy's own words."""
    for status, (_, name) in REFUSALS.items():
        assert listed[name, status].sentence


def test_each_says_when(listed: dict[tuple[str, int], Reason]) -> None:
    """In words, without what is filled in when it is made."""
    for each in listed.values():
        assert each.sentence
        assert "%" not in each.sentence
