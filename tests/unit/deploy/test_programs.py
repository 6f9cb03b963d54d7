"""How each program of the stack is started, and what of it changes when something it is made from does."""

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from deploy.native import programs, secrets
from deploy.native.components import Components
from deploy.native.programs import Program, Stage, postgres
from deploy.native.runtime import Runtime

CHECKOUT = Path(__file__).resolve().parents[3]
NAMES = (
    "postgres", "kafka", "consul", "valkey", "mail", "connect", "connect-watchdog", "control-plane-0",
    "control-plane-1", "edge-identity", "auth", "product", "inventory", "payment", "order", "notification", "edge",
)  # fmt: skip


class Installed(Components):
    """Every component, without one being there."""

    postgres_bin = kafka_lib = connect_plugins = xds_protos = Path("/cache/somewhere")
    consul = envoy = valkey_server = java = Path("/cache/program")


INSTALLED = Installed(Path("/cache"), {}, "")


@pytest.fixture
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Runtime:
    """A stack in a folder of its own, which everybody is said to get to, moved by 10000 ports."""
    monkeypatch.setattr(postgres, "_open_to_all", lambda _folder: True)
    return Runtime.load(CHECKOUT, {"ORDERMESH_RUN": str(tmp_path / "run"), "ORDERMESH_PORT_OFFSET": "10000"})


@pytest.fixture
def catalogue(runtime: Runtime) -> dict[str, Program]:
    """Its programs."""
    return programs.every(runtime, INSTALLED)


def settings(runtime: Runtime) -> None:
    """Write what the components are configured by."""
    programs.configure(runtime, INSTALLED, secrets.ensure(runtime.root, runtime.topology.services))


def test_the_stack_is_these_programs(catalogue: dict[str, Program]) -> None:
    """In the order in which they are first asked for."""
    assert tuple(catalogue) == NAMES


def test_stages_begin_with_what_others_stand_on(catalogue: dict[str, Program]) -> None:
    """A stop goes the other way, so that nobody loses what he stands on before he is done."""
    stages = [program.stage for program in catalogue.values()]
    assert stages == sorted(stages)
    assert catalogue["edge"].stage is max(Stage)


def test_no_two_programs_listen_on_one_port(catalogue: dict[str, Program]) -> None:
    """Replicas count up from the first one's port and must not meet the next group."""
    ports = [port for program in catalogue.values() for port in program.ports]
    assert len(ports) == len(set(ports))


def test_a_replica_is_told_its_own_ports(catalogue: dict[str, Program]) -> None:
    """They share one environment file, and what stands in the environment itself wins."""
    first, second = catalogue["control-plane-0"], catalogue["control-plane-1"]
    assert first.environment["ORDERMESH_ENV_FILE"] == second.environment["ORDERMESH_ENV_FILE"]
    assert "ORDERMESH_PORT" not in first.environment
    assert second.environment["ORDERMESH_IDENTITY_FOLDER"] == str(second.identity)
    assert second.identity != first.identity
    assert second.environment["ORDERMESH_PORT"] == str(first.ports[0] + 1)


def test_every_settings_file_is_private(runtime: Runtime) -> None:
    """Consul's has tokens, and it is simplest when none has to be thought about. Certificates are for everybody."""
    settings(runtime)
    files = [file for file in (runtime.root / "config").rglob("*") if file.is_file()]
    files = [file for file in files if file.suffix != ".pem" or file.stem.endswith("-key")]
    assert files
    assert all(file.stat().st_mode & 0o077 == 0 for file in files)


def test_settings_name_the_ports_of_their_stack_and_no_place_is_left(runtime: Runtime) -> None:
    """A second stack beside the first must not be told the first one's ports."""
    settings(runtime)
    files = [file for file in (runtime.root / "config").rglob("*") if file.is_file() and file.suffix != ".p12"]
    texts = {file.name: file.read_text() for file in files}
    assert not [name for name, text in texts.items() if "${" in text]
    assert f"port = {runtime.port('postgres', 'sql')}" in texts["postgresql.conf"]
    assert f"CLIENTS://127.0.0.1:{runtime.port('kafka', 'broker')}" in texts["server.properties"]
    assert f"bootstrap.servers=127.0.0.1:{runtime.port('kafka', 'broker')}" in texts["connect.properties"]
    assert f"unixsocket {runtime.data('valkey')}/" in texts["valkey.conf"]
    assert json.loads(texts["consul.json"])["ports"]["https"] == runtime.port("consul", "https")


def test_components_listen_on_loopback_only(runtime: Runtime) -> None:
    """Until somebody decides otherwise. Valkey listens on no network at all."""
    settings(runtime)
    consul = json.loads((runtime.config("consul") / "consul.json").read_text())
    assert (consul["bind_addr"], consul["client_addr"]) == ("127.0.0.1", "127.0.0.1")
    assert "listen_addresses = '127.0.0.1'" in (runtime.config("postgres") / "postgresql.conf").read_text()
    assert "\nport 0\n" in (runtime.config("valkey") / "valkey.conf").read_text()
    assert "0.0.0.0" not in (runtime.config("kafka") / "server.properties").read_text()  # noqa: S104 - looked for


def test_consul_turns_away_whoever_brings_no_token(runtime: Runtime) -> None:
    """Its default would be to allow everything."""
    settings(runtime)
    acl = json.loads((runtime.config("consul") / "consul.json").read_text())["acl"]
    assert (acl["enabled"], acl["default_policy"]) == (True, "deny")


def test_writing_the_same_settings_again_touches_no_file(runtime: Runtime) -> None:
    """So nothing is started anew for it."""
    settings(runtime)
    before = {file: file.stat().st_mtime_ns for file in runtime.root.rglob("*") if file.is_file()}
    settings(runtime)
    assert {file: file.stat().st_mtime_ns for file in runtime.root.rglob("*") if file.is_file()} == before


def test_no_secret_stands_in_a_command_line(runtime: Runtime, catalogue: dict[str, Program]) -> None:
    """Every user of the machine can read those."""
    kept = secrets.ensure(runtime.root, runtime.topology.services)
    values = {kept.postgres_superuser_password, kept.consul_management_token, kept.gossip_key}
    values |= {*kept.kafka_passwords.values(), *kept.valkey_passwords.values()}
    lines = [program.command_line for program in catalogue.values()]
    assert not [value for value in values for line in lines if value in line]


def test_a_program_is_another_once_a_file_it_reads_changed(tmp_path: Path) -> None:
    """That is what it is started anew for."""
    source = tmp_path / "services"
    (source / "__pycache__").mkdir(parents=True)
    (source / "order.py").write_text("first")
    program = Program(name="order", command=("python",), stage=Stage.SERVICE, inputs=(source, tmp_path / "order.env"))
    digests = [program.digest]
    for file in (source / "order.py", source / "new.py", tmp_path / "order.env"):
        file.write_text("changed")
        digests.append(program.digest)
    assert len(set(digests)) == 4
    (source / "__pycache__" / "order.pyc").write_text("compiled")
    assert program.digest == digests[-1]


def test_a_program_is_another_with_another_command_or_environment() -> None:
    """Also when no file changed."""
    program = Program(name="order", command=("python",), stage=Stage.SERVICE)
    others = [replace(program, command=("python", "-v")), replace(program, environment={"A": "1"})]
    assert len({program.digest, *(other.digest for other in others)}) == 3


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become nobody")
def test_where_nobody_cannot_go_the_data_is_kept_elsewhere(
    runtime: Runtime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL refuses to be root; the name in the runtime folder says where its data is."""
    outside = tmp_path / "outside"
    monkeypatch.setattr(postgres, "ELSEWHERE", outside)
    monkeypatch.setattr(postgres, "_open_to_all", lambda folder: folder.is_relative_to(outside))
    postgres.configure(runtime)
    place = runtime.data("postgres").readlink()
    assert place.is_relative_to(outside)
    assert str(place) in postgres.program(runtime, INSTALLED).command_line
    (place / "PG_VERSION").touch()
    postgres.configure(runtime)
    assert (place / "PG_VERSION").exists()


def test_data_stays_in_the_runtime_folder_where_everybody_may_go(runtime: Runtime) -> None:
    """As a developer expects it."""
    postgres.configure(runtime)
    assert not runtime.data("postgres").is_symlink()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become nobody")
def test_data_of_a_removed_runtime_folder_is_not_taken_up_again(
    runtime: Runtime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its password went with the folder."""
    outside = tmp_path / "outside"
    monkeypatch.setattr(postgres, "ELSEWHERE", outside)
    monkeypatch.setattr(postgres, "_open_to_all", lambda folder: folder.is_relative_to(outside))
    postgres.configure(runtime)
    place = runtime.data("postgres").readlink()
    (place / "PG_VERSION").touch()
    shutil.rmtree(runtime.root)
    postgres.configure(runtime)
    assert not (place / "PG_VERSION").exists()
