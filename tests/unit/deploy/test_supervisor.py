"""What the supervisor is told: quoted so that it reads what was meant, and no more than each program needs."""

import configparser
import shlex
import stat
from pathlib import Path

import pytest

from deploy.native import secrets
from deploy.native.components import Components
from deploy.native.programs import Program, Stage
from deploy.native.runtime import Runtime
from deploy.native.supervisor import Supervisor, _environment, section

CHECKOUT = Path(__file__).resolve().parents[3]


class Installed(Components):
    """The one component that counts here."""

    xds_protos = Path("/cache/xds")


@pytest.fixture
def runtime(tmp_path: Path) -> Runtime:
    """A stack in a folder of its own."""
    return Runtime.load(CHECKOUT, {"ORDERMESH_RUN": str(tmp_path)})


def program(**changes: object) -> Program:
    """A program with a folder that needs quoting."""
    described: dict[str, object] = {"name": "kafka", "command": ("/opt/java home/java", "-jar"), "stage": Stage.CONNECT}
    return Program(**{**described, **changes})  # type: ignore[arg-type]


def read(text: str) -> configparser.ConfigParser:
    """Read it as the supervisor does, up to its expansions."""
    parser = configparser.RawConfigParser(inline_comment_prefixes=(";", "#"), strict=False)
    parser.read_string(text)
    return parser  # type: ignore[return-value]


def test_a_command_survives_its_quoting(runtime: Runtime) -> None:
    """The supervisor splits it as a shell would."""
    command = read(section(program(), runtime, {}))["program:kafka"]["command"]
    assert shlex.split(command) == ["/opt/java home/java", "-jar"]


def test_a_percent_sign_is_not_an_expansion(runtime: Runtime) -> None:
    """The supervisor would look up what follows it."""
    command = read(section(program(command=("java", "100%s")), runtime, {}))["program:kafka"]["command"]
    assert shlex.split(command % {}) == ["java", "100%s"]


def test_programs_are_restarted_for_ever_and_started_by_us(runtime: Runtime) -> None:
    """In order the first time; by the supervisor whenever they end."""
    settings = read(section(program(), runtime, {}))["program:kafka"]
    assert (settings["autostart"], settings["autorestart"]) == ("false", "true")
    assert int(settings["startretries"]) > 10_000


def test_a_changed_program_has_a_changed_section(runtime: Runtime, tmp_path: Path) -> None:
    """So the supervisor finds it by comparing, and leaves the others alone."""
    settings = tmp_path / "server.properties"
    settings.write_text("one")
    watched = program(inputs=(settings,))
    before = section(watched, runtime, {})
    assert section(watched, runtime, {}) == before
    settings.write_text("two")
    assert section(watched, runtime, {}) != before


def test_the_configuration_has_a_password_and_is_private(runtime: Runtime) -> None:
    """Who can talk to the supervisor can run anything as us."""
    kept = secrets.ensure(runtime.root, runtime.topology.services)
    supervisor = Supervisor(runtime, kept)
    supervisor.configure({"kafka": program()}, Installed(Path("/cache"), {}, ""))
    server = read(supervisor.configuration.read_text())["inet_http_server"]
    assert server["password"] == kept.supervisor_password
    assert server["port"].startswith("127.0.0.1:")
    assert stat.S_IMODE(supervisor.configuration.stat().st_mode) == 0o600


def test_programs_inherit_nothing_from_a_persons_shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What happens to be set there must not decide how the stack works."""
    monkeypatch.setenv("KAFKA_OPTS", "-Dsomething")
    monkeypatch.setenv("ORDERMESH_LOG_LEVEL", "DEBUG")
    inherited = _environment(tmp_path)
    assert not {"KAFKA_OPTS", "ORDERMESH_LOG_LEVEL"} & inherited.keys()
    assert inherited["ORDERMESH_STACK"] == str(tmp_path)
