"""A repeated request is known by a field or by a header, and both must agree."""

import pytest

from mesh import errors
from services.common.idempotency import MAX_LENGTH, request_key


@pytest.mark.parametrize(
    ("field", "header", "key"),
    [("a", None, "a"), ("", "a", "a"), ("a", "a", "a"), ("a", "", "a"), ("", None, None), ("", "", None)],
)
def test_either_source_gives_the_key(field: str, header: str | None, key: str | None) -> None:
    """Without any the request is new each time."""
    assert request_key(field, header) == key


def test_two_different_keys_are_refused() -> None:
    """Nobody can say which one was meant."""
    with pytest.raises(errors.InvalidArgument) as refusal:
        request_key("a", "b")
    assert refusal.value.reason == "IDEMPOTENCY_KEY_MISMATCH"


def test_a_header_is_bounded_as_the_field_is() -> None:
    """The contract checks the field only."""
    assert request_key("", "k" * MAX_LENGTH)
    with pytest.raises(errors.InvalidArgument) as refusal:
        request_key("", "k" * (MAX_LENGTH + 1))
    assert refusal.value.reason == "IDEMPOTENCY_KEY_TOO_LONG"
