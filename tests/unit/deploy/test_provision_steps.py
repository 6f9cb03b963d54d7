"""What all steps share: waiting, one line of summary, passwords compared, credentials written."""

import json
import stat
from pathlib import Path

import pytest

from deploy.native.provision.credentials import credentials
from deploy.native.provision.scram import matches
from deploy.native.provision.summary import summary
from deploy.native.provision.waiting import ProvisionError, wait_for
from tests.unit.deploy.provision_examples import runtime_in, secrets_of

# Made by PostgreSQL 18 for the password "pencil" (CREATE ROLE … PASSWORD 'pencil').
VERIFIER = (
    "SCRAM-SHA-256$4096:5OOwb/6TVxMKwVGkU9Z4og=="
    "$1lwdSTDncXL8/fY72cBkayRtPLMWXK+EmQ66/4WZyg4=:77Aa6ksExpVr0omU8aK63YbrMxrRp2nZiQ1Vjfph4+Y="
)


def test_waiting_ends_with_the_first_answer() -> None:
    """An error that is waited out leaves no trace."""
    answers = iter([3])

    def probe() -> int:
        try:
            return next(answers)
        except StopIteration:
            raise OSError from None

    assert wait_for("it", probe, errors=(OSError,)) == 3


def test_waiting_in_vain_says_what_for_and_why() -> None:
    """The last error is the reason."""

    def probe() -> None:
        raise OSError("connection refused")

    with pytest.raises(ProvisionError, match=r"Kafka did not come within 0 s: connection refused"):
        wait_for("Kafka", probe, errors=(OSError,), timeout_s=0)


def test_an_error_that_is_not_waited_for_is_raised_at_once() -> None:
    """A mistake of ours does not get better."""

    def probe() -> None:
        raise ValueError("wrong")

    with pytest.raises(ValueError, match="wrong"):
        wait_for("it", probe, errors=(OSError,))


def test_no_change_is_said() -> None:
    """A second run tells that it changed nothing."""
    assert summary("topics", []) == "topics: unchanged"


def test_many_changes_are_counted() -> None:
    """A first run makes dozens of roles."""
    assert summary("roles", list("abcdef")) == "roles: a, b, c, and 3 more"


def test_a_warning_is_never_counted_away() -> None:
    """However much else there is to say."""
    said = summary("slots", [*"abcdef", "slot x created (WARNING: 3 older events)"])
    assert said.startswith("slots: slot x created (WARNING: 3 older events), a")


def test_a_kept_password_is_known_from_its_verifier() -> None:
    """So that a second run sets no password again."""
    assert matches(VERIFIER, "pencil")


@pytest.mark.parametrize("verifier", [None, "", "md5d8f1", VERIFIER.replace("$1lwd", "$AAAA")])
def test_any_other_verifier_is_replaced(verifier: str | None) -> None:
    """No password, an old kind of one, or another one."""
    assert not matches(verifier, "pencil")


def test_credentials_are_complete_and_private(tmp_path: Path) -> None:
    """The names are a promise to tools."""
    runtime = runtime_in(tmp_path)
    credentials(runtime)
    file = runtime.root / "credentials.json"
    written = json.loads(file.read_text())
    assert list(written) == [
        "edge_http",
        "edge_https",
        "ca",
        "consul_http",
        "consul_https",
        "consul_ca",
        "consul_token",
        "kafka",
        "kafka_client",
        "admin_email",
        "admin_password",
    ]
    assert written["admin_password"] == secrets_of(runtime).admin_password
    assert Path(written["ca"]).read_text().startswith("-----BEGIN CERTIFICATE-----")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_credentials_are_written_once(tmp_path: Path) -> None:
    """A second run leaves the file alone."""
    runtime = runtime_in(tmp_path)
    assert credentials(runtime) == "credentials: written"
    assert credentials(runtime) == "credentials: unchanged"
