"""Sealed personal data: who can open what, and how keys follow one another."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.auth.sealing import DataKeys, Digests, Sealed, UnknownKeyError

OLD, NEW = (base64.b64encode(bytes([each]) * 32).decode() for each in (1, 2))


@given(text=st.text(), row=st.text())
def test_what_is_sealed_for_a_row_opens_for_that_row(text: str, row: str) -> None:
    """Whatever the text."""
    data_keys = DataKeys.read(f"a:{OLD}")
    assert data_keys.open(data_keys.seal(text, row), row) == text


def test_what_belongs_to_one_row_does_not_open_for_another() -> None:
    """Who can write the database can't swap people's data."""
    data_keys = DataKeys.read(f"a:{OLD}")
    with pytest.raises(UnknownKeyError, match="user 2"):
        data_keys.open(data_keys.seal("ann@example.com", "user 1"), "user 2")


def test_a_new_key_seals_and_the_old_one_still_opens() -> None:
    """The name of the key is beside what it sealed."""
    before = DataKeys.read(f"a:{OLD}").seal("ann@example.com", "user 1")
    both = DataKeys.read(f"b:{NEW}, a:{OLD}")
    assert both.open(before, "user 1") == "ann@example.com"
    assert both.seal("ann@example.com", "user 1").key_id == "b"


def test_a_key_that_was_taken_away_too_early_is_asked_for_by_name() -> None:
    """Nothing is lost: it can be put back."""
    before = DataKeys.read(f"a:{OLD}").seal("ann@example.com", "user 1")
    with pytest.raises(UnknownKeyError, match="'a'"):
        DataKeys.read(f"b:{NEW}").open(before, "user 1")


def test_a_changed_ciphertext_does_not_open() -> None:
    """Not one bit of it."""
    data_keys = DataKeys.read(f"a:{OLD}")
    sealed = data_keys.seal("ann@example.com", "user 1")
    changed = bytes([*sealed.content[:-1], sealed.content[-1] ^ 1])
    with pytest.raises(UnknownKeyError):
        data_keys.open(Sealed(changed, "a"), "user 1")


@pytest.mark.parametrize("setting", ["", "a", f":{OLD}", "a:short", f"a:{OLD},a:{NEW}", OLD])
def test_keys_that_are_none_are_refused_at_start(setting: str) -> None:
    """With the setting's name."""
    with pytest.raises(ValueError, match="ORDERMESH_PERSONAL_DATA_KEYS"):
        DataKeys.read(setting)


def test_digests_of_different_purposes_and_parts_have_nothing_in_common() -> None:
    """Where one part ends and the next begins counts."""
    digests = Digests.read(OLD)
    made = {
        digests.of("email", "ab", "c"),
        digests.of("email", "a", "bc"),
        digests.of("email", "abc"),
        digests.of("network", "abc"),
        Digests.read(NEW).of("email", "abc"),
    }
    assert len(made) == 5
    assert digests.of("email", "abc") == digests.of("email", "abc")
