"""A real Envoy takes its clusters and endpoints from the control plane."""

import asyncio
import contextlib
import math
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
import pytest_asyncio

from tests.integration.mesh.control_plane.backend import instance
from tests.integration.mesh.control_plane.client import READ_ORDER
from tests.integration.mesh.control_plane.consul import Consul
from tests.integration.mesh.control_plane.edge import Edge, running
from tests.integration.mesh.control_plane.policies import policy
from tests.integration.mesh.control_plane.replica import ControlPlane

pytestmark = pytest.mark.asyncio(loop_scope="package")


@pytest_asyncio.fixture(scope="module", loop_scope="package")
async def edge(
    envoy_binary: Path, replica: ControlPlane, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Edge]:
    """Run one Envoy for the tests of the module."""
    async with running(envoy_binary, tmp_path_factory.mktemp("edge"), [replica]) as envoy:
        yield envoy


async def answers(edge: Edge, calls: int) -> set[str]:
    """Call through the edge, and tell which instances answered."""
    async with grpc.aio.insecure_channel(edge.target) as channel:
        method: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(READ_ORDER)
        return {(await method(b"", timeout=5)).decode() for _ in range(calls)}


async def reaches(edge: Edge, *names: str) -> None:
    """Wait until exactly these instances answer."""
    async with asyncio.timeout(20):
        while True:
            with contextlib.suppress(grpc.aio.AioRpcError):
                if await answers(edge, 20) == set(names):
                    return


async def test_the_edge_accepts_a_cluster_for_every_service(edge: Edge, replica: ControlPlane) -> None:
    """Clusters have the names of the services, and none is refused."""
    clusters = await edge.clusters()

    assert set(clusters) == {"auth", "inventory", "notification", "order", "payment", "product"}
    assert clusters["order"]["circuit_breakers"]["thresholds"][0]["max_requests"] == 1024
    assert await edge.stat("cluster_manager.cds.update_rejected") == 0
    assert await replica.refusals() == 0


async def test_the_edge_follows_the_instances(edge: Edge, consul: Consul, replica: ControlPlane) -> None:
    """Instances that join, fall sick or leave do so at the edge too, over HTTP/2."""
    async with instance(consul, "order-1"):
        await reaches(edge, "order-1")
        async with instance(consul, "order-2") as second:
            await reaches(edge, "order-1", "order-2")
            await second.say(healthy=False)
            await reaches(edge, "order-1")
    assert await replica.refusals() == 0


async def test_the_edge_ejects_an_instance_that_fails_half_of_its_calls(edge: Edge, consul: Consul) -> None:
    """Outlier detection keeps an instance out that answers its check and yet fails."""
    async with instance(consul, "order-1"), instance(consul, "order-2") as failing:
        await reaches(edge, "order-1", "order-2")
        failing.refusal = grpc.StatusCode.UNAVAILABLE
        await reaches(edge, "order-1")
        assert failing.calls
        assert await ejected(edge) == {failing.port}


async def ejected(edge: Edge) -> set[int]:
    """Tell the ports of the instances of `order` that Envoy has ejected."""
    hosts = (await edge.clusters())["order"]["host_statuses"]
    return {
        host["address"]["socket_address"]["port_value"]
        for host in hosts
        if host["health_status"].get("failed_outlier_check")
    }


async def tally(edge: Edge, calls: int) -> Counter[str]:
    """Call through the edge, and count who answers."""
    async with grpc.aio.insecure_channel(edge.target) as channel:
        method: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(READ_ORDER)
        return Counter([(await method(b"", timeout=5)).decode() for _ in range(calls)])


async def test_the_edge_splits_calls_between_versions(edge: Edge, consul: Consul, replica: ControlPlane) -> None:
    """By the weights of localities, within four standard deviations; and all go where somebody is left."""
    split = {"canary": {"versions": [{"version": "2", "percent": 20}]}}
    async with (
        policy(consul, split),
        instance(consul, "order-1", version="1"),
        instance(consul, "order-2", version="2") as new,
    ):
        await reaches(edge, "order-1", "order-2")
        assert abs((await tally(edge, 1000))["order-2"] - 200) < 4 * math.sqrt(1000 * 0.2 * 0.8)
        await new.say(healthy=False)
        await reaches(edge, "order-1")
    assert await replica.refusals() == 0


async def test_the_edge_stays_in_its_zone_while_somebody_serves_there(
    edge: Edge, consul: Consul, replica: ControlPlane
) -> None:
    """Then it turns to the others, and back."""
    async with (
        policy(consul, {"zones": {"preferOwn": True}}),
        instance(consul, "order-a", zone="zone-a") as own,
        instance(consul, "order-b", zone="zone-b"),
    ):
        await reaches(edge, "order-a")
        await own.say(healthy=False)
        await reaches(edge, "order-b")
        await own.say(healthy=True)
        await reaches(edge, "order-a")
    assert await replica.refusals() == 0
