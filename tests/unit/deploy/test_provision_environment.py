"""What each process is told of its install."""

import stat
from pathlib import Path

import pytest

from deploy.native.errors import ConfigurationError
from deploy.native.provision.environment import services, settings_of
from deploy.native.secrets import CONTROL_PLANE, EDGE
from tests.unit.deploy.provision_examples import runtime_in, secrets_of


def test_a_service_is_told_its_own_secrets_only(tmp_path: Path) -> None:
    """Whoever reads the settings of one service gains nothing in another's database."""
    runtime = runtime_in(tmp_path)
    kept = secrets_of(runtime)
    text = str(settings_of(runtime, kept, "order"))
    others = [password for role, password in kept.database_passwords.items() if role != "order_app"]
    others += [password for user, password in kept.kafka_passwords.items() if user != "order"]
    tokens = [token for holder, token in kept.consul_tokens.items() if holder != "order"]
    private = [kept.postgres_superuser_password, kept.consul_management_token, kept.key_encryption_key]
    assert kept.database_passwords["order_app"] in text
    assert not [secret for secret in (*others, *tokens, *private, kept.admin_password) if secret in text]


def test_only_who_consumes_has_a_user_on_kafka(tmp_path: Path) -> None:
    """And is told what to consume, which the topology says."""
    runtime = runtime_in(tmp_path)
    kept = secrets_of(runtime)
    told = {name: settings_of(runtime, kept, name) for name in runtime.topology.services}
    for name, service in runtime.topology.services.items():
        assert told[name].get("KAFKA_TOPICS") == (",".join(service.consumes) or None)
        assert told[name].get("KAFKA_USER") == (name if service.consumes else None)


def test_only_who_caches_has_a_user_on_valkey(tmp_path: Path) -> None:
    """As the topology says."""
    runtime = runtime_in(tmp_path)
    kept = secrets_of(runtime)
    for name, service in runtime.topology.services.items():
        assert ("CACHE_URL" in settings_of(runtime, kept, name)) is service.caches


def test_only_auth_has_the_key_of_the_signing_keys(tmp_path: Path) -> None:
    """And the password of the admin it creates."""
    runtime = runtime_in(tmp_path)
    kept = secrets_of(runtime)
    assert settings_of(runtime, kept, "auth")["KEY_ENCRYPTION_KEY"] == kept.key_encryption_key
    assert "KEY_ENCRYPTION_KEY" not in settings_of(runtime, kept, "notification")


def test_the_control_plane_has_no_database(tmp_path: Path) -> None:
    """It keeps nothing and follows Consul."""
    runtime = runtime_in(tmp_path)
    settings = settings_of(runtime, secrets_of(runtime), CONTROL_PLANE)
    assert not {"DATABASE_URL", "KAFKA_BOOTSTRAP"} & settings.keys()
    assert settings["EDGE_IDENTITY"] == runtime.config(EDGE)


def test_a_service_knows_every_replica_of_the_control_plane(tmp_path: Path) -> None:
    """It turns to the next when one is gone."""
    runtime = runtime_in(tmp_path)
    for name in ("order", CONTROL_PLANE):
        assert settings_of(runtime, secrets_of(runtime), name)["CONTROL_PLANE"] == "127.0.0.1:9000,127.0.0.1:9001"


def test_what_keeps_the_edges_identity_can_do_nothing_else(tmp_path: Path) -> None:
    """It has the edge's token, a port for its metrics that is nobody else's, Envoy's file, and no way to any data."""
    runtime = runtime_in(tmp_path)
    kept = secrets_of(runtime)
    settings = settings_of(runtime, kept, EDGE)
    assert (settings["CONSUL_TOKEN"], settings["METRICS_PORT"]) == (kept.consul_tokens[EDGE], 9903)
    assert settings["REVOKED_TOKENS"] == runtime.data(EDGE) / "kept" / "revoked.json"
    assert not {"DATABASE_URL", "KAFKA_BOOTSTRAP"} & settings.keys()


def test_everybody_has_an_identity_of_their_own_and_knows_who_signs_it(tmp_path: Path) -> None:
    """Consul's agent is known by the certificate of its own authority."""
    runtime = runtime_in(tmp_path)
    every = [
        settings_of(runtime, secrets_of(runtime), name) for name in (*runtime.topology.services, CONTROL_PLANE, EDGE)
    ]
    assert len({each["IDENTITY_FOLDER"] for each in every}) == len(every)
    for each in every:
        assert each["CONSUL_GRPC"] == "127.0.0.1:8502"
        assert Path(str(each["CONSUL_CA"])).read_text().startswith("-----BEGIN CERTIFICATE")


def test_every_file_is_private_and_a_second_run_writes_none(tmp_path: Path) -> None:
    """A supervisor that compares files must find nothing to start anew."""
    runtime = runtime_in(tmp_path)
    services(runtime)
    file = runtime.env_file("order")
    written = file.stat().st_mtime_ns
    assert services(runtime) == "services: unchanged"
    assert (file.stat().st_mtime_ns, stat.S_IMODE(file.stat().st_mode)) == (written, 0o600)


def test_what_an_install_sets_by_itself_comes_last(tmp_path: Path) -> None:
    """So it wins over what we would say, and another run of `make up` keeps it."""
    runtime = runtime_in(tmp_path)
    own = runtime.own_settings("order")
    own.parent.mkdir(parents=True)
    own.write_text("# Germany\nORDERMESH_LEASE_SECONDS=30\n")
    services(runtime)
    assert runtime.env_file("order").read_text().endswith("\n# Germany\nORDERMESH_LEASE_SECONDS=30\n")
    assert "LEASE" not in runtime.env_file("payment").read_text()
    assert services(runtime) == "services: unchanged"


@pytest.mark.parametrize("line", ["LEASE_SECONDS=3", "ORDERMESH_LEASE_SECONDS: 3", "export ORDERMESH_LEASE_SECONDS=3"])
def test_a_line_that_sets_nothing_is_named(tmp_path: Path, line: str) -> None:
    """It would be passed over in silence otherwise."""
    runtime = runtime_in(tmp_path)
    own = runtime.own_settings("order")
    own.parent.mkdir(parents=True)
    own.write_text(f"\n{line}\n")
    with pytest.raises(ConfigurationError, match=r"order\.env:2: a line is ORDERMESH_<NAME>=<value>"):
        services(runtime)


def test_settings_for_nobody_are_named(tmp_path: Path) -> None:
    """The service is called order, whatever its database is called."""
    runtime = runtime_in(tmp_path)
    own = runtime.own_settings("orders")
    own.parent.mkdir(parents=True)
    own.touch()
    with pytest.raises(ConfigurationError, match=r"orders\.env is for no process of ours"):
        services(runtime)
