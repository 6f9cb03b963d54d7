"""What the edge's Envoy believes, by its administration: the endpoints it was told, and the certificate it shows."""

import datetime as dt
import json
from collections.abc import Iterator
from dataclasses import dataclass

import aiohttp

from mesh.headers import EDGE
from mesh.operator.beliefs import ENDPOINTS, Belief, Endpoint

TIMEOUT = aiohttp.ClientTimeout(total=3)
HEALTHY = "healthy"


@dataclass(frozen=True, slots=True)
class Shown:
    """A certificate of the mesh that Envoy holds."""

    spiffe_id: str
    serial: str
    end: dt.datetime


@dataclass(frozen=True, slots=True)
class Edge:
    """One Envoy, by the address of its administration; `failure` tells why it could not be asked."""

    address: str
    beliefs: tuple[Belief, ...] = ()
    shown: Shown | None = None
    failure: str = ""

    @property
    def name(self) -> str:
        """What it is called."""
        return f"{EDGE} {self.address}"


async def ask(address: str) -> Edge:
    """Ask one."""
    try:
        async with aiohttp.ClientSession(f"http://{address}", timeout=TIMEOUT) as http:
            clusters, certificates = [await _text(http, path) for path in ("/clusters", "/certs")]
    except (aiohttp.ClientError, TimeoutError) as failure:
        return Edge(address, failure=str(failure) or type(failure).__name__)
    return Edge(address, tuple(beliefs(clusters)), shown(certificates))


async def _text(http: aiohttp.ClientSession, path: str) -> str:
    async with http.get(path) as reply:
        reply.raise_for_status()
        return await reply.text()


def beliefs(clusters: str) -> Iterator[Belief]:
    """Read /clusters, whose lines are `cluster::key::value` or `cluster::address::key::value`."""
    told: dict[str, dict[str, dict[str, str]]] = {}
    for line in clusters.splitlines():
        name, *rest = line.split("::")
        if rest == ["added_via_api", "true"]:
            told.setdefault(name, {})
        elif name in told and len(rest) == 3:  # noqa: PLR2004 - an address has a key and a value
            told[name].setdefault(rest[0], {})[rest[1]] = rest[2]
    for name, addresses in sorted(told.items()):
        endpoints = (_endpoint(address, said) for address, said in addresses.items() if "health_flags" in said)
        yield Belief(ENDPOINTS, name, "ACKED", "", "", tuple(endpoints))


def _endpoint(address: str, said: dict[str, str]) -> Endpoint:
    flags = said["health_flags"]
    return Endpoint(address, said.get("zone", ""), "HEALTHY" if flags == HEALTHY else flags.strip("/"))


def shown(certificates: str) -> Shown | None:
    """Find the edge's identity in the mesh among /certs."""
    for entry in json.loads(certificates)["certificates"]:
        for each in entry.get("cert_chain", []):
            names = [name.get("uri", "") for name in each.get("subject_alt_names", [])]
            if any(name.endswith(f"/svc/{EDGE}") for name in names):
                return Shown(names[0], each["serial_number"], dt.datetime.fromisoformat(each["expiration_time"]))
    return None
