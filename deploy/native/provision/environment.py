"""What each process of ours is started with: a 0600 environment file.

A service that runs several instances shares one file; the supervisor tells each further instance its ports and where
it keeps its identity.
"""

from collections.abc import Mapping
from pathlib import Path

from deploy.native import certificates, secrets
from deploy.native.programs import valkey
from deploy.native.provision import kafka_clients, postgres
from deploy.native.provision.summary import summary
from deploy.native.runtime import Runtime
from deploy.native.secrets import CONTROL_PLANE, EDGE, Secrets, app_role, write_private

HOST = "127.0.0.1"
ADMIN_EMAIL = "admin@ordermesh.test"
SENDER = "orders@ordermesh.test"
PREFIX = "ORDERMESH_"


def services(runtime: Runtime) -> str:
    """Write the settings of every service, of the control plane and of what keeps the edge's identity."""
    kept = secrets.ensure(runtime.root, runtime.topology.services)
    changes = []
    for name in (*runtime.topology.services, CONTROL_PLANE, EDGE):
        text = "".join(f"{PREFIX}{key}={value}\n" for key, value in settings_of(runtime, kept, name).items())
        changes += _replace(runtime.env_file(name), text, f"settings of {name}")
    return summary("services", changes)


def settings_of(runtime: Runtime, kept: Secrets, name: str) -> dict[str, object]:
    """Gather what a process needs to know of this install; all else has a default in its own settings."""
    common: dict[str, object] = {
        "SERVICE": name,
        "HOST": HOST,
        "PORT": runtime.port(name, "https" if name == EDGE else "grpc"),
        "METRICS_PORT": runtime.port(name, "metrics"),
        "DATACENTER": runtime.topology.mesh.datacenter,
        "ZONE": runtime.topology.mesh.zone,
        "CONSUL_HTTP": f"https://{HOST}:{runtime.port('consul', 'https')}",
        "CONSUL_TOKEN": kept.consul_tokens[name],
        "CONSUL_GRPC": f"{HOST}:{runtime.port('consul', 'grpc')}",
        "CONSUL_CA": certificates.of(runtime).consul_authority.certificate,
        "IDENTITY_FOLDER": runtime.identity(name),
    }
    if name == EDGE:
        return common
    common["CONTROL_PLANE"] = control_planes(runtime)
    if name == CONTROL_PLANE:
        return {**common, "EDGE_IDENTITY": runtime.config(EDGE)}
    return {**common, **_data_settings(runtime, kept, name), **_own_settings(runtime, kept, name)}


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
        }
    if name == "notification":
        return {"SMTP_HOST": HOST, "SMTP_PORT": runtime.port("mail", "smtp"), "SMTP_FROM": SENDER}
    return {}


def _replace(path: Path, text: str, what: str) -> list[str]:
    if path.exists() and path.read_text() == text:
        return []
    write_private(path, text)
    return [what]
