"""A change may depend on an etag, which a field names or a header, and both must agree."""

import pytest

from mesh import errors
from services.common.conditions import expected_etag


@pytest.mark.parametrize(
    ("field", "header", "etag"),
    [
        ("5", None, "5"),
        ("", '"5"', "5"),
        ("", "5", "5"),
        ("5", '"5"', "5"),
        ("", ' "a-b" ', "a-b"),
        ("", "*", ""),
        ("5", "*", "5"),
        ("", "", ""),
        ("", None, ""),
    ],
)
def test_either_source_gives_the_etag(field: str, header: str | None, etag: str) -> None:
    """Without any, or with `*`, every state will do."""
    assert expected_etag(field, header) == etag


def test_two_different_etags_are_refused() -> None:
    """Nobody can say which one was meant."""
    with pytest.raises(errors.InvalidArgument) as refusal:
        expected_etag("5", '"6"')
    assert refusal.value.reason == "IF_MATCH_MISMATCH"


@pytest.mark.parametrize("header", ['W/"5"', '"5", "6"', '"5', '""', "a b"])
def test_what_is_no_single_strong_etag_is_refused(header: str) -> None:
    """A weak one never matches, and of a list nobody can say which one was seen."""
    with pytest.raises(errors.InvalidArgument) as refusal:
        expected_etag("", header)
    assert refusal.value.reason == "IF_MATCH_INVALID"
