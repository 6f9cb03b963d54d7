"""What each process is told of its install."""

import stat
from pathlib import Path

from deploy.native.provision.environment import services, settings_of, xds_bootstrap
from deploy.native.secrets import CONTROL_PLANE
from tests.unit.deploy.provision_examples import runtime_in, secrets_of


def test_a_service_is_told_its_own_secrets_only(tmp_path: Path) -> None:
    """Whoever reads the settings of one service gains nothing in another's database."""
    runtime = runtime_in(tmp_path)
    kept = secrets_of(runtime)
    text = str(settings_of(runtime, kept, "order"))
    others = [password for role, password in kept.database_passwords.items() if role != "order_app"]
    tokens = [token for holder, token in kept.consul_tokens.items() if holder != "order"]
    private = [kept.postgres_superuser_password, kept.consul_management_token, kept.key_encryption_key]
    assert kept.database_passwords["order_app"] in text
    assert not [secret for secret in (*others, *tokens, *private, kept.admin_password) if secret in text]


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
    assert not {"DATABASE_URL", "KAFKA_BOOTSTRAP", "XDS_BOOTSTRAP"} & settings.keys()


def test_all_control_planes_stand_in_one_address(tmp_path: Path) -> None:
    """A second entry of xds_servers would be asked for resources never seen, only."""
    servers = xds_bootstrap(runtime_in(tmp_path), "order")["xds_servers"]
    assert isinstance(servers, list)
    assert [server["server_uri"] for server in servers] == ["ipv4:127.0.0.1:9000,127.0.0.1:9001"]


def test_every_file_is_private_and_a_second_run_writes_none(tmp_path: Path) -> None:
    """A supervisor that compares files must find nothing to start anew."""
    runtime = runtime_in(tmp_path)
    services(runtime)
    file = runtime.env_file("order")
    written = file.stat().st_mtime_ns
    assert services(runtime) == "services: unchanged"
    assert (file.stat().st_mtime_ns, stat.S_IMODE(file.stat().st_mode)) == (written, 0o600)
