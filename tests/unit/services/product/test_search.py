"""How a query is read."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.product.search import Search, read


@pytest.mark.parametrize(
    ("query", "terms", "beginning"),
    [
        ("shoe", "", "shoe:*"),
        ("Red  SHOE", '"red"', "shoe:*"),
        ("TEE-01", "", "tee <-> 01:*"),
        ('"red shoe" blu', '"red shoe"', "blu:*"),
        ('blue "Red Shoe"', '"blue" "red shoe"', ""),
        ('blue "red sh', '"blue" "red sh"', ""),
        ("shoe -red", '"shoe" -"red"', ""),
        ('-"dark red" shoe', '-"dark red"', "shoe:*"),
        ("red or blue", '"red" or "blue"', ""),
        ("red OR TEE-01 shoe", '"red" or "tee 01" "shoe"', ""),
        ('"red or blue"', '"red or blue"', ""),
        ('a "or" b', '"a" "or"', "b:*"),
    ],
)
def test_a_query_is_read_as_people_mean_it(query: str, terms: str, beginning: str) -> None:
    """All words, the last as a beginning; phrases, exclusions and alternatives are exact."""
    assert read(query) == Search(terms, beginning)


@pytest.mark.parametrize(("query", "beginning"), [("shoes or", "or:*"), ("or", "or:*"), ("shoes or -", "or:*")])
def test_an_or_with_nothing_after_it_is_the_beginning_of_a_word(query: str, beginning: str) -> None:
    """Such as of orange."""
    assert read(query).beginning == beginning


@pytest.mark.parametrize("query", ["", "  ", "-", '"', '""', "' | !:* () & '", "---"])
def test_without_a_word_there_is_nothing_to_look_for(query: str) -> None:
    """It finds nothing, which is not the same as everything."""
    assert not read(query)


@given(st.text(max_size=200) | st.text(alphabet="ab-\"' or:*&|!()<>\\", max_size=60))
def test_only_words_reach_the_database(query: str) -> None:
    """Its query language can't be spoken through the search box."""
    found = read(query)
    assert re.fullmatch(r'(?:(?:or|-?"[^\W_]+(?: [^\W_]+)*")(?: |$))*', found.terms)
    assert re.fullmatch(r"(?:[^\W_]+(?: <-> [^\W_]+)*:\*)?", found.beginning)
