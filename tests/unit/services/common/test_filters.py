"""A WHERE of those conditions that are asked for."""

from services.common.filters import where

CONDITIONS = {"owner": "owner = %(owner)s", "after": "id < %(after)s"}


def test_what_is_not_asked_for_is_no_condition() -> None:
    """Nothing asked for, no WHERE at all."""
    assert where(CONDITIONS, {"owner": None, "after": None}) == ""
    assert where(CONDITIONS, {"owner": "eve", "after": None}) == "WHERE owner = %(owner)s "


def test_all_that_are_asked_for_must_hold() -> None:
    """Also for values that count as false."""
    assert where(CONDITIONS, {"owner": "", "after": 0}) == "WHERE owner = %(owner)s AND id < %(after)s "
