"""One 0600 file that tells people and tools where a running install answers and how to log in."""

import json

from deploy.native import certificates, secrets
from deploy.native.provision import environment, kafka_clients
from deploy.native.provision.summary import summary
from deploy.native.runtime import Runtime
from deploy.native.secrets import OPERATOR, Secrets, write_private

HOST = "127.0.0.1"
FILE_NAME = "credentials.json"


def credentials(runtime: Runtime) -> str:
    """Write .run/credentials.json anew when something in it has changed."""
    kept = secrets.ensure(runtime.root, runtime.topology.services)
    path, text = runtime.root / FILE_NAME, json.dumps(credentials_of(runtime, kept), indent=2) + "\n"
    if path.exists() and path.read_text() == text:
        return summary("credentials", [])
    write_private(path, text)
    return summary("credentials", ["written"])


def credentials_of(runtime: Runtime, kept: Secrets) -> dict[str, str]:
    """Gather what a person needs; `consul_token` is the one that Consul's UI shows everything to."""
    return {
        "edge_http": f"http://{HOST}:{runtime.port('edge', 'http')}",
        "edge_https": f"https://{HOST}:{runtime.port('edge', 'https')}",
        "ca": str(certificates.of(runtime).authority.certificate),
        "consul_http": f"http://{HOST}:{runtime.port('consul', 'http')}",
        "consul_https": f"https://{HOST}:{runtime.port('consul', 'https')}",
        "consul_ca": str(certificates.consul_authority(runtime)),
        "consul_token": kept.consul_management_token,
        "kafka": kafka_clients.bootstrap(runtime),
        "kafka_client": str(runtime.root / "kafka" / f"{OPERATOR}.properties"),
        "admin_email": environment.ADMIN_EMAIL,
        "admin_password": kept.admin_password,
    }
