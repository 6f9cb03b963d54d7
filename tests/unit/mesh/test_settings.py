"""What a process is told, from where, and that it never repeats a secret."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest
import structlog
from pydantic import ValidationError

from mesh import context
from mesh.settings import ENV_FILE, MeshSettings, explain
from mesh.telemetry import configure_logging, get_logger, set_log_level
from services.common.settings import ServiceSettings

SECRETS: dict[str, Any] = {
    "consul_token": "consul-secret",
    "database_url": "postgresql+psycopg://order_app:database-secret@127.0.0.1:5442/orders",
}


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take away what the shell of the developer says."""
    monkeypatch.delenv(ENV_FILE, raising=False)


def settings() -> ServiceSettings:
    """Make settings with a secret in each place that has one."""
    return ServiceSettings(service="order", port=9050, metrics_port=9150, **SECRETS)


def test_secrets_are_in_no_text_of_the_settings() -> None:
    """Whoever logs the settings as a whole logs no secret."""
    told = settings()
    texts = (repr(told), str(told), repr(told.model_dump()), told.model_dump_json(), repr(vars(told)))
    assert "secret" not in "".join(texts)
    assert told.consul_token.get_secret_value() == "consul-secret"


def test_a_setting_that_is_missing_is_named_without_the_others() -> None:
    """The message of a failed start goes to the log as well."""
    with pytest.raises(ValidationError) as refusal:
        ServiceSettings(service="order", port=99999, metrics_port=9150, **SECRETS)
    assert "port" in str(refusal.value)
    assert "secret" not in str(refusal.value)


def test_what_is_wrong_is_said_in_a_line_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that is misspelt, a value that makes no sense, and one that is missing; never a value."""
    file = tmp_path / "order.env"
    file.write_text("ORDERMESH_PORT=secret\nORDERMESH_METRICS_PORT=9150\nORDERMESH_TAX_TABEL=secret\n")
    monkeypatch.setenv(ENV_FILE, str(file))
    with pytest.raises(ValidationError) as refusal:
        ServiceSettings(service="order")
    assert sorted(explain(refusal.value).splitlines()) == [
        "ORDERMESH_DATABASE_URL: Field required",
        "ORDERMESH_PORT: Input should be a valid integer, unable to parse string as an integer",
        "ORDERMESH_TAX_TABEL: is no setting of this process; docs/settings.md has them all",
    ]


def test_the_claims_of_a_call_are_not_in_its_text() -> None:
    """They name a person."""
    call = context.Call("r1", context.Caller(peer="edge"), claims="eyJzdWIiOi")
    assert "eyJzdWIiOi" not in repr(call)


def test_the_environment_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second instance is told its port by a variable, and all else by the file of the first."""
    file = tmp_path / "order.env"
    file.write_text("ORDERMESH_PORT=9050\nORDERMESH_METRICS_PORT=9150\nORDERMESH_ZONE=zone-a\nORDERMESH_OTHER=1\n")
    monkeypatch.setenv(ENV_FILE, str(file))
    monkeypatch.setenv("ORDERMESH_PORT", "9051")
    told = MeshSettings(service="order")
    assert (told.port, told.metrics_port, told.zone) == (9051, 9150, "zone-a")
    assert told.instance.startswith("order-")
    assert told.instance.endswith("-9051")


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says what makes it."""
    monkeypatch.setenv(ENV_FILE, str(tmp_path / "none.env"))
    with pytest.raises(FileNotFoundError, match="make up"):
        MeshSettings(service="order", port=1, metrics_port=2)


@pytest.fixture
def logged(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> pytest.CaptureFixture[str]:
    """Configure the logs as a process does, and put everything back afterwards."""
    monkeypatch.setattr(logging.root, "handlers", list(logging.root.handlers))
    monkeypatch.setattr(logging.root, "level", logging.root.level)
    return capfd


def test_a_log_line_says_which_call_it_belongs_to(logged: pytest.CaptureFixture[str]) -> None:
    """JSON, with the request and the actor; the values of local variables stay out of tracebacks."""
    configure_logging("info", "order")
    try:
        with context.background(actor="user:7", request_id="r1"):
            fail_with("local-secret")
    finally:
        structlog.reset_defaults()
    text = logged.readouterr().out
    line = json.loads(text)
    assert (line["event"], line["service"], line["request_id"], line["actor"]) == ("it failed", "order", "r1", "user:7")
    assert line["exception"][0]["exc_type"] == "KeyError"
    assert "local-secret" not in text


def test_a_line_is_written_whatever_it_is_about(logged: pytest.CaptureFixture[str]) -> None:
    """Numbers beyond 64 bits, halves of characters and objects of any kind are no reason to lose it."""
    configure_logging("info", "order")
    try:
        get_logger("test").info("odd", number=2**70, half="\udc80", kind=object)
    finally:
        structlog.reset_defaults()
    line = json.loads(logged.readouterr().out)
    assert (line["number"], line["half"], line["kind"]) == (2**70, "\udc80", repr(object))


def test_the_log_level_may_change_while_loggers_are_in_use(logged: pytest.CaptureFixture[str]) -> None:
    """Those of libraries stay quiet below warnings."""
    configure_logging("warning", "order")
    try:
        ours, library = get_logger("test"), logging.getLogger("some.library")
        for level in ("WARNING", "debug", "error"):
            set_log_level(level)
            ours.debug("looked", at=level)
            ours.warning("minded", at=level)
            library.info("chatted")
            library.warning("complained")
    finally:
        structlog.reset_defaults()
        set_log_level("INFO")
    lines = [json.loads(line) for line in logged.readouterr().out.splitlines()]
    assert [(each["event"], each.get("at")) for each in lines] == [
        ("minded", "WARNING"),
        ("complained", None),
        ("looked", "debug"),
        ("minded", "debug"),
        ("complained", None),
    ]


def fail_with(secret: str) -> None:
    """Fail while a secret is in a local variable."""
    kept = {"password": secret}
    try:
        kept["email"]
    except KeyError:
        get_logger("test").exception("it failed")
