"""What each process of ours is started with: a 0600 environment file and the bootstrap of its xDS client.

A service that runs several instances shares one file; the supervisor tells each further instance its ports.
"""

import json
from collections.abc import Mapping
from pathlib import Path

from deploy.native import secrets
from deploy.native.provision import kafka, postgres
from deploy.native.provision.summary import summary
from deploy.native.runtime import Runtime
from deploy.native.secrets import CONTROL_PLANE, Secrets, app_role, write_private

HOST = "127.0.0.1"
ADMIN_EMAIL = "admin@ordermesh.test"
SENDER = "orders@ordermesh.test"
PREFIX = "ORDERMESH_"


def services(runtime: Runtime) -> str:
    """Write the settings of every service and of the control plane, and every service's xDS bootstrap."""
    kept = secrets.ensure(runtime.root, runtime.topology.services)
    changes = []
    for name in (*runtime.topology.services, CONTROL_PLANE):
        text = "".join(f"{PREFIX}{key}={value}\n" for key, value in settings_of(runtime, kept, name).items())
        changes += _replace(runtime.env_file(name), text, f"settings of {name}")
    for name in runtime.topology.services:
        text = json.dumps(xds_bootstrap(runtime, name), indent=2) + "\n"
        changes += _replace(runtime.xds_bootstrap(name), text, f"bootstrap of {name}")
    return summary("services", changes)


def settings_of(runtime: Runtime, kept: Secrets, name: str) -> dict[str, object]:
    """Gather what a process needs to know of this install; all else has a default in its own settings."""
    common: dict[str, object] = {
        "SERVICE": name,
        "HOST": HOST,
        "PORT": runtime.port(name, "grpc"),
        "METRICS_PORT": runtime.port(name, "metrics"),
        "ZONE": runtime.topology.mesh.zone,
        "CONSUL_HTTP": f"http://{HOST}:{runtime.port('consul', 'http')}",
        "CONSUL_TOKEN": kept.consul_tokens[name],
        "PEER_TOKEN": kept.peer_token,
    }
    if name == CONTROL_PLANE:
        return common
    return {**common, **_data_settings(runtime, kept, name), **_own_settings(runtime, kept, name)}


def xds_bootstrap(runtime: Runtime, name: str) -> dict[str, object]:
    """Say where a process finds the control plane and what it is called there.

    All replicas stand in one address, because gRPC moves on to the next of an address at once, but to a
    second entry of `xds_servers` only for resources that it has never seen.
    """
    first = runtime.port(CONTROL_PLANE, "grpc")
    replicas = range(first, first + runtime.topology.mesh.control_plane_replicas)
    return {
        "xds_servers": [
            {
                "server_uri": "ipv4:" + ",".join(f"{HOST}:{port}" for port in replicas),
                "channel_creds": [{"type": "insecure"}],
                "server_features": ["xds_v3", "ignore_resource_deletion"],
            },
        ],
        "node": {
            "id": f"{name}-{runtime.port(name, 'grpc')}",
            "cluster": name,
            "locality": {"region": runtime.topology.mesh.datacenter, "zone": runtime.topology.mesh.zone},
        },
    }


def _data_settings(runtime: Runtime, kept: Secrets, name: str) -> dict[str, object]:
    role = app_role(name)
    return {
        "XDS_BOOTSTRAP": runtime.xds_bootstrap(name),
        "DATABASE_URL": postgres.url(runtime, name, role, kept.database_passwords[role]),
        "KAFKA_BOOTSTRAP": kafka.bootstrap(runtime),
    }


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
