"""Which revision a schema should be at, read from the files of its migrations."""

from pathlib import Path

import pytest

from deploy.native.provision.migrations import heads, is_due
from tests.unit.deploy.provision_examples import CHECKOUT


def write(folder: Path, revision: str, after: str | None) -> None:
    """Write what makes a file a revision for Alembic."""
    source = f'"""It."""\n\nrevision = {revision!r}\ndown_revision = {after!r}\nbranch_labels = None\n'
    (folder / f"{revision}_it.py").write_text(source)


def test_the_newest_is_the_one_that_no_other_follows(tmp_path: Path) -> None:
    """Whatever the files are called."""
    write(tmp_path, "0002", "0001")
    write(tmp_path, "0001", None)
    write(tmp_path, "0003", "0002")
    assert heads(tmp_path) == {"0003"}


def test_two_that_follow_one_are_both_told(tmp_path: Path) -> None:
    """Alembic then refuses, which somebody must see."""
    write(tmp_path, "0001", None)
    write(tmp_path, "a", "0001")
    write(tmp_path, "b", "0001")
    assert heads(tmp_path) == {"a", "b"}


def test_a_service_without_migrations_has_none(tmp_path: Path) -> None:
    """Nothing is run for it."""
    assert heads(tmp_path / "missing") == set()


@pytest.mark.parametrize(
    ("present", "newest", "due"),
    [
        (None, {"0001"}, True),
        ("0001", {"0002"}, True),
        ("0002", {"0002"}, False),
        ("0003", {"0002"}, False),
        ("0001", {"a", "b"}, True),
        (None, set(), False),
    ],
)
def test_a_schema_is_brought_on_and_never_back(present: str | None, newest: set[str], due: bool) -> None:  # noqa: FBT001 - a case
    """Older code runs on what newer code has left."""
    assert is_due(present, newest) is due


@pytest.mark.parametrize("service", ["auth", "product", "inventory", "payment", "order", "notification"])
def test_every_service_has_exactly_one_newest_revision(service: str) -> None:
    """Two would stop the next start of the stack."""
    assert len(heads(CHECKOUT / "services" / service / "migrations" / "versions")) == 1
