"""Everything the edge's configuration is made from, gathered in one value, so that rendering reads no file."""

from dataclasses import dataclass
from pathlib import Path

from gateway.schemas import Messages
from gateway.settings import EdgeSettings
from mesh.contract import Contract

BOOTSTRAP = "bootstrap.json"
OPENAPI = "openapi.json"
REVOKED = "revoked.json"
ROUTES = "routes.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Where the edge listens. `keys` is its own way to auth's public keys, `admin` is Envoy's administration."""

    http: int
    https: int
    admin: int
    keys: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """What Envoy reads: the server certificate, the built contracts, and the folder of what `write` makes.

    `cache` is the folder in which it keeps replies itself; `kept` is the one of what `gateway.companion` tells it.

    `identity` is the folder in which `gateway.companion` keeps the certificate that services know the edge by.
    """

    certificate: Path
    private_key: Path
    identity: Path
    descriptors: Path
    folder: Path
    cache: Path
    kept: Path

    @property
    def bootstrap(self) -> Path:
        """The configuration itself."""
        return self.folder / BOOTSTRAP

    @property
    def routes(self) -> Path:
        """The routes, which all listeners share."""
        return self.folder / ROUTES

    @property
    def revoked(self) -> Path:
        """The tokens that are refused before they end."""
        return self.kept / REVOKED

    @property
    def openapi(self) -> Path:
        """The description of the REST API."""
        return self.folder / OPENAPI


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Input of `gateway.render`. `control_plane` are the ports of its replicas on `host`.

    `shared_rates` is the port of the rate limit service (gateway/shared_rates.py), if several edges share their counts.
    """

    contract: Contract
    messages: Messages
    settings: EdgeSettings
    issuer: str
    audience: str
    ports: Ports
    files: Files
    control_plane: tuple[int, ...]
    shared_rates: int | None = None
    region: str = ""
    zone: str = ""
    host: str = "127.0.0.1"
