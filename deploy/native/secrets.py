"""The secrets of one install: made once, kept in one 0600 file in the runtime folder, never logged."""

import base64
import json
import os
import secrets as randomness
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

FILE_NAME = "secrets.json"
DEBEZIUM_ROLE = "debezium"
AGENT = "agent"
CONTROL_PLANE = "control-plane"
EDGE = "edge"
CONNECT = "connect"
OPERATOR = "operator"
CONSUL_HOLDERS = (AGENT, CONTROL_PLANE, EDGE, OPERATOR)


@dataclass(frozen=True, slots=True, kw_only=True)
class Secrets:
    """What processes prove themselves with; printing it shows no value, so that a log line cannot leak one.

    `database_passwords` is keyed by role name, `consul_tokens` by holder: a service, AGENT, CONTROL_PLANE, EDGE
    or OPERATOR; `kafka_passwords` by user: a service, CONNECT, OPERATOR or a consumer of another team;
    `valkey_passwords` by service.
    """

    postgres_superuser_password: str = field(repr=False)
    database_passwords: Mapping[str, str] = field(repr=False)
    kafka_passwords: Mapping[str, str] = field(repr=False)
    valkey_passwords: Mapping[str, str] = field(repr=False)
    consul_management_token: str = field(repr=False)
    consul_tokens: Mapping[str, str] = field(repr=False)
    gossip_key: str = field(repr=False)
    admin_password: str = field(repr=False)
    supervisor_password: str = field(repr=False)
    key_encryption_key: str = field(repr=False)
    personal_data_keys: str = field(repr=False)
    digest_key: str = field(repr=False)
    sandbox_webhook_secret: str = field(repr=False)


def owner_role(service: str) -> str:
    """Name of the role that owns a service's schema and runs its migrations."""
    return f"{service}_owner"


def app_role(service: str) -> str:
    """Name of the role a service runs as."""
    return f"{service}_app"


def ensure(root: Path, services: Iterable[str], consumers: Iterable[str] = ()) -> Secrets:
    """Read the secrets kept in the runtime folder `root`; make those that are missing, and only those."""
    path = root / FILE_NAME
    kept = json.loads(path.read_text()) if path.exists() else {}
    secrets = _completed(kept, tuple(services), tuple(consumers))
    if asdict(secrets) != kept:
        write_private(path, json.dumps(asdict(secrets), indent=2) + "\n")
    return secrets


def write_private(path: Path, text: str) -> None:
    """Replace a file in one step with one that only its owner may read."""
    replace_private(path, text.encode())


def replace_private(path: Path, content: bytes) -> None:
    """Replace a file as `write_private` does, with bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}")
    part.unlink(missing_ok=True)
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    part.replace(path)


def _completed(kept: Mapping[str, Any], services: tuple[str, ...], consumers: tuple[str, ...]) -> Secrets:
    roles = [role(service) for service in services for role in (owner_role, app_role)]
    fresh: dict[str, Any] = {
        "postgres_superuser_password": _password(),
        "database_passwords": {role: _password() for role in (*roles, DEBEZIUM_ROLE)},
        "kafka_passwords": {user: _password() for user in (CONNECT, OPERATOR, *services, *consumers)},
        "valkey_passwords": {service: _password() for service in services},
        "consul_management_token": str(uuid.uuid4()),
        "consul_tokens": {holder: str(uuid.uuid4()) for holder in (*CONSUL_HOLDERS, *services)},
        "gossip_key": _key(),
        "admin_password": _password(),
        "supervisor_password": _password(),
        "key_encryption_key": _key(),
        "personal_data_keys": f"1:{_key()}",
        "digest_key": _key(),
        "sandbox_webhook_secret": f"whsec_{_key()}",
    }
    return Secrets(**{name: _keep(value, kept.get(name)) for name, value in fresh.items()})


def _keep(fresh: Any, kept: Any) -> Any:  # noqa: ANN401 - a JSON value: text, or a mapping of text
    if isinstance(fresh, dict):
        return fresh | (kept or {})
    return kept or fresh


def _password() -> str:
    """256 bits that need no quoting in a URL, an INI file or a shell."""
    return randomness.token_hex(32)


def _key() -> str:
    """256 bits in base64: the form of Consul's gossip key and of AES keys."""
    return base64.b64encode(randomness.token_bytes(32)).decode()
