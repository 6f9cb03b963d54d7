"""Some watching clients in one process: each has an ADS stream, asks as gRPC does for one service, and takes all.

Arguments: address of a control plane, folder of a certificate, number of streams, service. It prints a line of JSON
for each change that a stream hears of, with the highest port among the endpoints or the limit of calls in flight.
"""

import asyncio
import functools
import json
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import uvloop
from envoy.config.cluster.v3 import cluster_pb2
from envoy.config.endpoint.v3 import endpoint_pb2
from envoy.service.discovery.v3 import ads_pb2_grpc, discovery_pb2

from mesh.certificates import Files
from mesh.control_plane.snapshot import ResourceType

READY = "ready"
ASKED = (ResourceType.LISTENER, ResourceType.ROUTES, ResourceType.CLUSTER, ResourceType.ENDPOINTS)
"""In the order in which a gRPC client comes to know of them."""

OPTIONS = (("grpc.use_local_subchannel_pool", 1),)  # A connection for each, as processes have.


class Watcher:
    """One client."""

    def __init__(self, address: str, credentials: grpc.ChannelCredentials, service: str, name: str) -> None:
        """Connect to a control plane."""
        self._channel = grpc.aio.secure_channel(address, credentials, options=OPTIONS)
        self._service = service
        self._name = name
        self._requests: asyncio.Queue[discovery_pb2.DiscoveryRequest] = asyncio.Queue()
        self.complete = asyncio.Event()

    async def watch(self) -> None:
        """Follow what it is told for ever."""
        stub: Any = ads_pb2_grpc.AggregatedDiscoveryServiceStub(self._channel)
        left = list(ASKED)
        self._ask(left.pop(0))
        async for response in stub.StreamAggregatedResources(self._asked()):
            at = time.time()
            self._ask(ResourceType(response.type_url), response)
            if left:
                self._ask(left.pop(0))
            else:
                self.complete.set()
            tell(response, at)

    def _ask(self, kind: ResourceType, answered: Any = None) -> None:  # noqa: ANN401 - a response, untyped
        request = discovery_pb2.DiscoveryRequest(type_url=kind.value, resource_names=[self._service])
        request.node.id = self._name
        if answered is not None:
            request.version_info, request.response_nonce = answered.version_info, answered.nonce
        self._requests.put_nowait(request)

    async def _asked(self) -> AsyncIterator[discovery_pb2.DiscoveryRequest]:
        while True:
            yield await self._requests.get()


def tell(response: Any, at: float) -> None:  # noqa: ANN401 - untyped
    """Say what of it a bench looks for."""
    if response.type_url == ResourceType.ENDPOINTS.value:
        print(json.dumps({"port": highest_port(response.resources[0].value), "at": at}), flush=True)
    elif response.type_url == ResourceType.CLUSTER.value:
        [body] = response.resources
        limits = cluster_pb2.Cluster.FromString(body.value).circuit_breakers.thresholds
        print(json.dumps({"limit": limits[0].max_requests.value, "at": at}), flush=True)


@functools.lru_cache(maxsize=16)
def highest_port(value: bytes) -> int:
    """Read a list of endpoints, once for all who are told the same: clients of gRPC do so in C++."""
    found = endpoint_pb2.ClusterLoadAssignment.FromString(value)
    return max(
        (each.endpoint.address.socket_address.port_value for zone in found.endpoints for each in zone.lb_endpoints),
        default=0,
    )


async def main(address: str, folder: Path, count: int, service: str) -> None:
    """Watch until ended."""
    files = Files(folder)
    credentials = grpc.ssl_channel_credentials(
        files.authorities.read_bytes(), files.key.read_bytes(), files.certificate.read_bytes()
    )
    watchers = [Watcher(address, credentials, service, f"{service}-{number}") for number in range(count)]
    async with asyncio.TaskGroup() as tasks:
        for each in watchers:
            tasks.create_task(each.watch())
        for each in watchers:
            await each.complete.wait()
        print(json.dumps({READY: count}), flush=True)


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4]))
