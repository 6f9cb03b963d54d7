"""A real Envoy that takes everything but one listener from the control plane, as the edge does."""

import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
from google.protobuf.json_format import MessageToDict

from mesh import sds
from mesh.control_plane.encryption import Identities, for_envoy
from tests.integration.mesh.control_plane.members import member
from tests.integration.mesh.control_plane.processes import HOST, Process, eventually, free_ports, listens
from tests.integration.mesh.control_plane.replica import ControlPlane

TYPE = "type.googleapis.com/envoy.extensions"
HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"


class Edge:
    """The addresses of a running Envoy, and what its admin interface tells."""

    def __init__(self, listener: int, admin: int) -> None:
        """Remember the ports."""
        self.target = f"{HOST}:{listener}"
        self._admin = f"http://{HOST}:{admin}"

    async def clusters(self) -> dict[str, Any]:
        """Return what Envoy knows of each cluster that it was told."""
        told = await self._ask("/clusters?format=json")
        return {each["name"]: each for each in told["cluster_statuses"] if each.get("added_via_api")}

    async def stat(self, name: str) -> int:
        """Return one counter."""
        told = await self._ask(f"/stats?format=json&filter=^{name}$")
        return int(told["stats"][0]["value"])

    async def _ask(self, path: str) -> Any:  # noqa: ANN401 - JSON
        async with aiohttp.ClientSession() as http, http.get(self._admin + path) as reply:
            return await reply.json(content_type=None)


@contextlib.asynccontextmanager
async def running(binary: Path, folder: Path, replicas: list[ControlPlane]) -> AsyncIterator[Edge]:
    """Run an Envoy that sends every gRPC call to `order`."""
    consul = replicas[0].consul
    async with member(consul, "edge", consul.folder) as identity:
        for name, content in sds.secrets(identity.files.folder).items():
            sds.file_of(identity.files.folder, name).write_text(json.dumps(content))
        identities = Identities(identity.domain, identity.files.folder)
        listener, admin = free_ports(2)
        configuration = folder / "envoy.json"
        configuration.write_text(json.dumps(_bootstrap(listener, admin, replicas, identities)))
        options = ("--concurrency", "1", "--disable-hot-restart", "--log-level", "warning")
        envoy = await Process.start(folder / "envoy.log", binary, "-c", configuration, *options)
        try:
            await eventually(lambda: listens(listener) or not envoy.running)
            assert envoy.running, envoy.log.read_text()[-2000:]
            yield Edge(listener, admin)
        finally:
            await envoy.stop()


def _bootstrap(listener: int, admin: int, replicas: list[ControlPlane], identities: Identities) -> dict[str, Any]:
    ads = {"ads": {}, "resource_api_version": "V3"}
    stream = {
        "api_type": "GRPC",
        "transport_api_version": "V3",
        "grpc_services": [{"envoy_grpc": {"cluster_name": "control-plane"}}],
    }
    return {
        "node": {"id": "edge-1", "cluster": "edge", "locality": {"region": "dc1", "zone": "zone-a"}},
        "admin": {"address": _socket(admin)},
        "dynamic_resources": {"ads_config": stream, "cds_config": ads},
        "static_resources": {"listeners": [_listener(listener)], "clusters": [_control_plane(replicas, identities)]},
    }


def _listener(port: int) -> dict[str, Any]:
    everything = {"match": {"prefix": "/"}, "route": {"cluster": "order"}}
    connection = {
        "@type": f"{TYPE}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "edge",
        "http_filters": [{"name": "router", "typed_config": {"@type": f"{TYPE}.filters.http.router.v3.Router"}}],
        "route_config": {
            "virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [everything]}],
            "validate_clusters": False,
        },
    }
    chain = {"filters": [{"name": "http", "typed_config": connection}]}
    return {"name": "edge", "address": _socket(port), "filter_chains": [chain]}


def _control_plane(replicas: list[ControlPlane], identities: Identities) -> dict[str, Any]:
    http2 = {"@type": f"type.googleapis.com/{HTTP_OPTIONS}", "explicit_http_config": {"http2_protocol_options": {}}}
    endpoints = [{"endpoint": {"address": _socket(each.port)}} for each in replicas]
    return {
        "name": "control-plane",
        "type": "STATIC",
        "transport_socket": MessageToDict(for_envoy("control-plane", identities)),
        "typed_extension_protocol_options": {HTTP_OPTIONS: http2},
        "load_assignment": {"cluster_name": "control-plane", "endpoints": [{"lb_endpoints": endpoints}]},
    }


def _socket(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": HOST, "port_value": port}}
