"""How Envoy finds a certificate that is replaced while it runs: by two small files that stand beside its configuration.

Envoy looks again at what such a file names, only, and only when something in a watched folder was renamed.
"""

from pathlib import Path
from typing import Any

CERTIFICATE = "certificate"
AUTHORITIES = "authorities"

_SECRET = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret"  # noqa: S105 - the name of a type


def file_of(folder: Path, name: str) -> Path:
    """Name the file that describes CERTIFICATE or AUTHORITIES."""
    return folder / f"{name}.json"


def secrets(identity: Path) -> dict[str, dict[str, Any]]:
    """Describe what a process keeps in its identity folder (mesh.certificates), as the content of the two files."""
    watched = {"path": str(identity)}
    chain = {"certificate_chain": {"filename": str(identity / "cert.pem")}}
    key = {"private_key": {"filename": str(identity / "key.pem")}}
    trusted = {"trusted_ca": {"filename": str(identity / "ca.pem")}}
    return {
        CERTIFICATE: _secret(CERTIFICATE, tls_certificate={**chain, **key, "watched_directory": watched}),
        AUTHORITIES: _secret(AUTHORITIES, validation_context={**trusted, "watched_directory": watched}),
    }


def _secret(name: str, **what: object) -> dict[str, Any]:
    return {"resources": [{"@type": _SECRET, "name": name, **what}]}
