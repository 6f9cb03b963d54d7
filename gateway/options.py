"""Everything the edge's configuration is made from, gathered in one value, so that rendering reads no file."""

from dataclasses import dataclass, field
from pathlib import Path

from gateway.settings import EdgeSettings
from mesh.contract import Contract


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Where the edge listens. `keys` is its own way to auth's public keys, `admin` is Envoy's administration."""

    http: int
    https: int
    admin: int
    keys: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """What Envoy reads at start, and the folder it caches replies in."""

    certificate: Path
    private_key: Path
    descriptors: Path
    openapi: Path
    api_page: Path
    swagger_ui: Path
    cache: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Input of `gateway.render`.

    `control_plane` are the ports of its replicas on `host`; `peer_token` is what the services know the edge by.
    """

    contract: Contract
    settings: EdgeSettings
    issuer: str
    audience: str
    ports: Ports
    files: Files
    control_plane: tuple[int, ...]
    peer_token: str = field(repr=False)
    zone: str = ""
    host: str = "127.0.0.1"
