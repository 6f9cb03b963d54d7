"""Page tokens go with the filters they came from, and nothing that a caller sends instead is our defect."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh import errors
from services.common import paging

TEXTS = st.text(max_size=20)
FILTERS = st.dictionaries(TEXTS, TEXTS | st.none(), max_size=3)


def refusal(token: str, filters: paging.Filters) -> errors.InvalidArgument:
    """Send a token that must be refused."""
    with pytest.raises(errors.InvalidArgument) as raised:
        paging.decode(token, filters)
    assert [violation.field for violation in raised.value.violations] == ["page_token"]
    return raised.value


@given(TEXTS, FILTERS)
def test_a_token_gives_back_its_cursor(cursor: str, filters: dict[str, str | None]) -> None:
    """The order in which filters are named does not matter."""
    token = paging.encode(cursor, filters)
    assert paging.decode(token, dict(reversed(filters.items()))) == cursor
    assert token.isascii()
    assert not set(token) & set("+/=")


@given(TEXTS, FILTERS, FILTERS)
def test_a_token_of_other_filters_is_refused(
    cursor: str, filters: dict[str, str | None], others: dict[str, str | None]
) -> None:
    """A page of one list never continues another, nor that of another owner."""
    if filters != others:
        assert "other filters" in refusal(paging.encode(cursor, filters), others).message


def test_an_absent_filter_is_not_an_empty_one() -> None:
    """None means all; an empty text would mean nobody's."""
    assert "other filters" in refusal(paging.encode("c", {"owner": None}), {"owner": ""}).message


def test_the_first_page_has_no_token() -> None:
    """Nor a cursor."""
    assert paging.decode("", {"owner": "u"}) is None


@given(st.text(min_size=1, max_size=80))
def test_any_text_is_refused_as_a_token(text: str) -> None:
    """The caller is told that the token is wrong, whatever it holds."""
    assert refusal(text, {}).reason == "PAGE_TOKEN_INVALID"


def forged(content: str) -> str:
    """Encode any JSON as a token."""
    return base64.urlsafe_b64encode(content.encode()).rstrip(b"=").decode()


@pytest.mark.parametrize("content", ["[]", "7", "null", '"ab"', '["c"]', '["c","d","e"]', "[[1],2]", '{"a":1,"b":2}'])
def test_other_json_is_refused_as_a_token(content: str) -> None:
    """Only what we wrote is read."""
    refusal(forged(content), {})


def test_json_that_is_too_deep_is_refused_as_a_token() -> None:
    """As deep as the contract's bound of a token lets it be."""
    refusal(forged("[" * 740), {})


def test_a_cursor_that_is_no_text_is_refused() -> None:
    """Even with the right filters."""
    (_, digest) = json.loads(base64.urlsafe_b64decode(paging.encode("c", {}) + "=="))
    refusal(forged(json.dumps([7, digest])), {})


def test_a_cursor_that_should_count_and_does_not_is_refused() -> None:
    """Tokens are not signed: whoever knows how they are made can make one up."""
    assert paging.number("12") == 12
    for cursor in ("", "x", "1.5", "9" * 5000):
        with pytest.raises(errors.InvalidArgument):
            paging.number(cursor)


def test_pages_have_fifty_items_unless_asked_otherwise() -> None:
    """The contract bounds what may be asked."""
    assert paging.page_size(0) == paging.DEFAULT_SIZE == 50
    assert paging.page_size(7) == 7
