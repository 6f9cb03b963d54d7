"""`make sql`: a look into a service's database."""

import pytest

from deploy.native.errors import StackError
from deploy.native.runtime import Runtime
from deploy.native.sql import lines

COUNT = "SELECT count(*) AS found FROM orders WHERE false"


def test_columns_are_named_before_the_rows(stack: Runtime) -> None:
    """Of the service's own database."""
    assert lines(stack, "order", COUNT, write=False) == ["found", "0"]
    assert lines(stack, "payment", "SELECT current_database(), NULL", write=False)[1:] == ["payment\t"]


def test_nothing_is_changed_unless_that_is_said(stack: Runtime) -> None:
    """A slip of the keyboard costs nothing."""
    change = "UPDATE orders SET state = state WHERE false"
    with pytest.raises(StackError, match="cannot execute UPDATE in a read-only transaction"):
        lines(stack, "order", change, write=False)
    assert lines(stack, "order", change, write=True) == ["0 rows"]


@pytest.mark.parametrize(
    ("service", "statement", "words"),
    [
        ("orders", COUNT, "there are: auth, product"),
        ("order", " ", "which statement"),
        ("order", "SELEC 1", "syntax error"),
    ],
)
def test_what_cannot_be_asked_is_said(stack: Runtime, service: str, statement: str, words: str) -> None:
    """With what to write instead, or PostgreSQL's own words."""
    with pytest.raises(StackError, match=words):
        lines(stack, service, statement, write=False)
