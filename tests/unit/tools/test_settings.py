"""The page of settings."""

import pytest
from pydantic.fields import FieldInfo

from tools.settings import PAGE, SECTIONS, default, fields, meaning, written

SETTINGS = [
    (title, name, field) for title, (own, base) in SECTIONS.items() for name, field in fields(own, base).items()
]


@pytest.mark.parametrize(("title", "name", "field"), SETTINGS, ids=[f"{title}: {name}" for title, name, _ in SETTINGS])
def test_every_setting_says_what_it_is_for(title: str, name: str, field: FieldInfo) -> None:
    """Nobody has to read the code to set it."""
    assert meaning(field), f"{title} has a setting {name} without a description"


def test_no_secret_has_a_default() -> None:
    """It would be the same in every install."""
    assert not [name for _, name, field in SETTINGS if "SecretStr" in str(field.annotation) and "`" in default(field)]


def test_the_page_in_the_docs_is_current() -> None:
    """`make lint` asks the same."""
    assert PAGE.read_text() == written()
