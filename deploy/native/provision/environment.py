"""What each process of ours is started with: a 0600 environment file.

A service that runs several instances shares one file; the supervisor tells each further instance its ports and where
it keeps its identity. What an install sets by itself, `.run/settings/<name>.env`, is added at the end, and wins.
"""

import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final

from deploy.native import certificates, members, release, secrets
from deploy.native.errors import ConfigurationError
from deploy.native.programs import valkey
from deploy.native.provision import kafka_clients, postgres
from deploy.native.provision.envoy import files_of
from deploy.native.provision.summary import summary
from deploy.native.runtime import Runtime
from deploy.native.secrets import CONTROL_PLANE, EDGE, OPERATOR, Secrets, app_role, write_private
from gateway import EdgeSettings

HOST = "127.0.0.1"
ADMIN_EMAIL = "admin@ordermesh.test"
SENDER = "orders@ordermesh.test"
PREFIX = "ORDERMESH_"
SETTING: Final = re.compile(rf"{PREFIX}[A-Z][A-Z0-9_]*=")
# An instance of auth hears of a key that another made within ten seconds.
MARGIN_SECONDS = 15


def services(runtime: Runtime) -> str:
    """Write the settings of services, members, the control plane, operators, and what keeps the edge's identity."""
    kept = secrets.ensure(runtime.root, runtime.topology.services)
    changes = []
    names = (*runtime.topology.services, CONTROL_PLANE, EDGE, OPERATOR)
    guests = members.read(runtime.root)
    _refuse_settings_of_others(runtime, (*names, *guests))
    for name in names:
        changes += _write(runtime, name, settings_of(runtime, kept, name))
    for name in guests:
        changes += member(runtime, name)
    return summary("services", changes)


def member(runtime: Runtime, name: str) -> list[str]:
    """Write the settings of a service of another team: all that it needs to know."""
    joined = members.read(runtime.root)[name]
    ports = {"PORT": joined.port, "METRICS_PORT": joined.metrics_port}
    mesh = {**_mesh_settings(runtime, name, joined.consul_token), "CONTROL_PLANE": control_planes(runtime)}
    return _write(runtime, name, {"SERVICE": name, "HOST": HOST, **ports, **mesh})


def settings_of(runtime: Runtime, kept: Secrets, name: str) -> dict[str, object]:
    """Gather what a process needs to know of this install; all else has a default in its own settings."""
    if name == OPERATOR:
        edges = f"{HOST}:{runtime.port(EDGE, 'admin')}"
        return {
            "SERVICE": name,
            "HOST": HOST,
            "EDGES": edges,
            **_mesh_settings(runtime, name, kept.consul_tokens[name]),
        }
    common: dict[str, object] = {
        "SERVICE": name,
        "HOST": HOST,
        "PORT": runtime.port(name, "https" if name == EDGE else "grpc"),
        "METRICS_PORT": runtime.port(name, "metrics"),
        "VERSION": release.version(runtime.checkout, name),
        **_mesh_settings(runtime, name, kept.consul_tokens[name]),
    }
    common["CONTROL_PLANE"] = control_planes(runtime)
    if name == EDGE:
        return {**common, "REVOKED_TOKENS": files_of(runtime).revoked}
    if name == CONTROL_PLANE:
        return {**common, "EDGE_IDENTITY": runtime.config(EDGE)}
    return {**common, **_data_settings(runtime, kept, name), **_own_settings(runtime, kept, name)}


def _mesh_settings(runtime: Runtime, name: str, token: str) -> dict[str, object]:
    """Say where the mesh is, and who the process is in it."""
    return {
        "DATACENTER": runtime.topology.mesh.datacenter,
        "ZONE": runtime.topology.mesh.zone,
        "CONSUL_HTTP": f"https://{HOST}:{runtime.port('consul', 'https')}",
        "CONSUL_TOKEN": token,
        "CONSUL_GRPC": f"{HOST}:{runtime.port('consul', 'grpc')}",
        "CONSUL_CA": certificates.of(runtime).consul_authority.certificate,
        "IDENTITY_FOLDER": runtime.identity(name),
    }


def control_planes(runtime: Runtime) -> str:
    """Name all replicas of the control plane."""
    first = runtime.port(CONTROL_PLANE, "grpc")
    replicas = range(first, first + runtime.topology.mesh.control_plane_replicas)
    return ",".join(f"{HOST}:{port}" for port in replicas)


def _data_settings(runtime: Runtime, kept: Secrets, name: str) -> dict[str, object]:
    role, service = app_role(name), runtime.topology.services[name]
    settings: dict[str, object] = {"DATABASE_URL": postgres.url(runtime, name, role, kept.database_passwords[role])}
    if service.consumes:
        settings |= {
            "KAFKA_BOOTSTRAP": kafka_clients.bootstrap(runtime),
            "KAFKA_CA": certificates.data_authority(runtime),
            "KAFKA_USER": name,
            "KAFKA_PASSWORD": kept.kafka_passwords[name],
            "KAFKA_TOPICS": ",".join(service.consumes),
        }
    if service.caches:
        settings["CACHE_URL"] = f"unix://{name}:{kept.valkey_passwords[name]}@{valkey.socket(runtime)}"
    return settings


def _own_settings(runtime: Runtime, kept: Secrets, name: str) -> Mapping[str, object]:
    if name == "auth":
        return {
            "ISSUER": runtime.topology.auth.issuer,
            "AUDIENCE": runtime.topology.auth.audience,
            "ADMIN_EMAIL": ADMIN_EMAIL,
            "ADMIN_PASSWORD": kept.admin_password,
            "KEY_ENCRYPTION_KEY": kept.key_encryption_key,
            "PERSONAL_DATA_KEYS": kept.personal_data_keys,
            "DIGEST_KEY": kept.digest_key,
            "KEY_PUBLICATION_SECONDS": _key_publication_seconds(),
        }
    if name == "payment":
        return {"SANDBOX_WEBHOOK_SECRET": kept.sandbox_webhook_secret}
    if name == "notification":
        return {"SMTP_HOST": HOST, "SMTP_PORT": runtime.port("mail", "smtp"), "SMTP_FROM": SENDER}
    return {}


def _key_publication_seconds() -> int:
    """Say how long auth must publish a key before it signs.

    Longer than the edge keeps keys, and whoever is told them from a cache on the way, which may be as old.
    """
    edge = EdgeSettings.load().tokens
    return 2 * edge.keys_seconds + edge.keys_timeout_seconds + edge.clock_skew_seconds + MARGIN_SECONDS


def own(file: Path) -> str:
    """Read what an install sets by itself, if it does; raise ConfigurationError for a line that sets nothing."""
    if not file.exists():
        return ""
    lines = file.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines, 1):
        if not (SETTING.match(line) or not line.strip() or line.startswith("#")):
            raise ConfigurationError(
                f"{file}:{number}: a line is {PREFIX}<NAME>=<value>; docs/settings.md has the names"
            )
    return "".join(f"{line}\n" for line in lines)


def _refuse_settings_of_others(runtime: Runtime, names: Collection[str]) -> None:
    for file in sorted(runtime.own_settings("").parent.glob("*.env")):
        if file.stem not in names:
            raise ConfigurationError(f"{file} is for no process of ours; there are: {', '.join(names)}")


def _write(runtime: Runtime, name: str, settings: Mapping[str, object]) -> list[str]:
    path = runtime.env_file(name)
    text = "".join(f"{PREFIX}{key}={value}\n" for key, value in settings.items()) + own(runtime.own_settings(name))
    if path.exists() and path.read_text() == text:
        return []
    write_private(path, text)
    return [f"settings of {name}"]
