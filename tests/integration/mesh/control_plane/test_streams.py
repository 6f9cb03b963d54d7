"""The process itself: its discovery streams, metrics, health and end."""

import asyncio
from typing import Any

import grpc
import pytest
from envoy.service.discovery.v3 import ads_pb2_grpc, discovery_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc

from mesh.control_plane.snapshot import ResourceType
from tests.integration.mesh.control_plane.members import talking_to
from tests.integration.mesh.control_plane.replica import ControlPlane, serving

pytestmark = pytest.mark.asyncio(loop_scope="package")


class Stream:
    """One ADS stream to a replica."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        """Open it."""
        stub: Any = ads_pb2_grpc.AggregatedDiscoveryServiceStub(channel)
        self._call = stub.StreamAggregatedResources(timeout=20)

    async def ask(self, kind: ResourceType, *names: str, nonce: str = "", refusal: str = "") -> None:
        """Send a request; a nonce answers a response."""
        request = discovery_pb2.DiscoveryRequest(type_url=kind.value, resource_names=names, response_nonce=nonce)
        request.node.id = "stream-1"
        if refusal:
            request.error_detail.message = refusal
        await self._call.write(request)

    async def hear(self) -> Any:  # noqa: ANN401 - a response, or grpc's end of the stream
        """Wait for a response."""
        return await self._call.read()


async def test_a_refused_response_is_a_metric(replica: ControlPlane) -> None:
    """A NACK is counted under its type, for the alert."""
    line = 'ordermesh_control_plane_requests_total{meaning="refused",type="ClusterLoadAssignment"}'
    before = await replica.metric(line)
    async with talking_to(replica) as channel:
        stream = Stream(channel)
        await stream.ask(ResourceType.ENDPOINTS, "order")
        response = await stream.hear()
        await stream.ask(ResourceType.ENDPOINTS, "order", nonce=response.nonce, refusal="no such thing")
        await replica.reaches(line, before + 1)


async def test_replicas_agree_on_versions(replica: ControlPlane) -> None:
    """A client that moves to another replica is told nothing that it knows already under another version."""
    async with serving(replica.twin("control-plane-1")) as other:
        assert await versions(replica) == await versions(other)


async def versions(replica: ControlPlane) -> list[str]:
    """Ask for what a client of `product` asks for, and tell the versions."""
    async with talking_to(replica) as channel:
        stream, found = Stream(channel), []
        for kind in ResourceType:
            await stream.ask(kind, "product")
            found.append((await stream.hear()).version_info)
    return found


async def test_health_is_served(replica: ControlPlane) -> None:
    """A replica that listens has a snapshot to serve."""
    async with talking_to(replica) as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        for service in ("", "envoy.service.discovery.v3.AggregatedDiscoveryService"):
            reply = await stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=5)
            assert reply.status == health_pb2.HealthCheckResponse.SERVING


async def test_a_stop_ends_streams_and_the_process_at_once(replica: ControlPlane) -> None:
    """Clients are let go in order, so that they turn to the other replica, and nothing waits for them."""
    async with serving(replica.twin("stopping")) as stopping, talking_to(stopping) as channel:
        stream = Stream(channel)
        await stream.ask(ResourceType.CLUSTER, "order")
        await stream.hear()
        async with asyncio.timeout(3):
            assert await stopping.stop() == 0
        assert await stream.hear() is grpc.aio.EOF
