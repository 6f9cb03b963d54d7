"""The secrets of an install."""

import json
import stat
from pathlib import Path

from deploy.native import secrets


def test_a_second_run_reads_the_secrets_of_the_first(tmp_path: Path) -> None:
    """Provisioning again leaves every password as it was."""
    first = secrets.ensure(tmp_path, ["order"])
    assert secrets.ensure(tmp_path, ["order"]) == first


def test_a_new_service_gets_its_own_and_changes_nobody_elses(tmp_path: Path) -> None:
    """Adding a service to the topology adds its roles and token only."""
    first = secrets.ensure(tmp_path, ["order"])
    second = secrets.ensure(tmp_path, ["order", "returns"])
    assert second.database_passwords["returns_app"]
    assert second.database_passwords["order_app"] == first.database_passwords["order_app"]
    assert second.consul_tokens.items() > first.consul_tokens.items()


def test_only_the_owner_may_read_the_file(tmp_path: Path) -> None:
    """The file is 0600 from its first byte on."""
    secrets.ensure(tmp_path, ["order"])
    assert stat.S_IMODE((tmp_path / secrets.FILE_NAME).stat().st_mode) == 0o600


def test_no_two_holders_share_a_secret(tmp_path: Path) -> None:
    """Every role and every token has a value of its own."""
    made = secrets.ensure(tmp_path, ["order", "payment"])
    values = [
        *made.database_passwords.values(),
        *made.consul_tokens.values(),
        made.admin_password,
    ]
    assert len(set(values)) == len(values)


def test_printing_the_secrets_shows_none_of_them(tmp_path: Path) -> None:
    """A log line that formats the object leaks nothing."""
    made = secrets.ensure(tmp_path, ["order"])
    kept = json.loads((tmp_path / secrets.FILE_NAME).read_text())
    shown = repr(made)
    assert kept["consul_tokens"]["order"] not in shown
    assert kept["database_passwords"]["order_app"] not in shown
