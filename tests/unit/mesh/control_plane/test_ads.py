"""The streams that snapshots travel on, over requests handed in by the tests."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest
import structlog
from envoy.service.discovery.v3 import discovery_pb2
from prometheus_client import CollectorRegistry

from mesh.control_plane.ads import AggregatedDiscovery
from mesh.control_plane.metrics import Metrics
from mesh.control_plane.publication import Publication
from mesh.control_plane.snapshot import ResourceType
from tests.unit.mesh.control_plane.examples import instance, snapshot_of

EDS = ResourceType.ENDPOINTS


class Client:
    """The other end of a stream."""

    def __init__(self, publication: Publication, registry: CollectorRegistry) -> None:
        """Connect to a control plane that serves what is published."""
        self._requests = asyncio.Queue[Any]()
        self.discovery = AggregatedDiscovery("control-plane-1", publication, Metrics(registry), structlog.get_logger())
        self._responses = self.discovery.StreamAggregatedResources(self._sent(), cast("Any", None))

    async def _sent(self) -> AsyncIterator[Any]:
        while (request := await self._requests.get()) is not None:
            yield request

    def ask(self, *names: str, nonce: str = "", error: str = "") -> None:
        """Send a request for endpoints."""
        request = discovery_pb2.DiscoveryRequest(type_url=EDS.value, resource_names=names, response_nonce=nonce)
        if error:
            request.error_detail.message = error
        self._requests.put_nowait(request)

    def hang_up(self) -> None:
        """Close the sending side."""
        self._requests.put_nowait(None)

    async def hear(self) -> discovery_pb2.DiscoveryResponse:
        """Wait for a response."""
        return await asyncio.wait_for(anext(self._responses), 0.2)


@pytest.fixture
def publication() -> Publication:
    """Nothing published yet."""
    return Publication()


@pytest.fixture
def registry() -> CollectorRegistry:
    """Where the metrics of the test go."""
    return CollectorRegistry()


@pytest.fixture
def client(publication: Publication, registry: CollectorRegistry) -> Client:
    """Connect one client."""
    return Client(publication, registry)


async def test_a_client_waits_for_the_first_snapshot(client: Client, publication: Publication) -> None:
    """What is asked before anything is known is answered as soon as something is."""
    client.ask("order")
    hearing = asyncio.create_task(client.hear())
    await asyncio.sleep(0.01)
    assert not hearing.done()

    publication.publish(snapshot_of())

    assert (await hearing).type_url == EDS.value


async def test_a_publication_reaches_a_client_that_waits(client: Client, publication: Publication) -> None:
    """A new snapshot is pushed without being asked for."""
    publication.publish(snapshot_of())
    client.ask("order")
    first = await client.hear()

    publication.publish(snapshot_of(order=(instance(1),)))
    second = await client.hear()

    assert first.version_info != second.version_info
    assert first.control_plane.identifier == "control-plane-1"


async def test_a_client_that_hangs_up_ends_the_stream(
    client: Client, publication: Publication, registry: CollectorRegistry
) -> None:
    """Nobody is left behind in the count of open streams."""
    publication.publish(snapshot_of())
    client.ask("order")
    await client.hear()
    assert registry.get_sample_value("ordermesh_control_plane_streams") == 1

    client.hang_up()

    with pytest.raises(StopAsyncIteration):
        await client.hear()
    assert registry.get_sample_value("ordermesh_control_plane_streams") == 0


async def test_a_refusal_is_counted_and_logged(
    client: Client, publication: Publication, registry: CollectorRegistry
) -> None:
    """A NACK is a metric, for the alert, and a log line with the client's reason."""
    publication.publish(snapshot_of())
    client.ask("order")
    response = await client.hear()

    with structlog.testing.capture_logs() as lines:
        client.ask("order", nonce=response.nonce, error="no such thing")
        client.hang_up()
        with pytest.raises(StopAsyncIteration):
            await client.hear()

    labels = {"type": "ClusterLoadAssignment", "meaning": "refused"}
    assert registry.get_sample_value("ordermesh_control_plane_requests_total", labels) == 1
    assert [(line["event"], line["error"]) for line in lines] == [("resources_refused", "no such thing")]


async def test_what_is_refused_shows_until_something_newer_is_accepted(
    client: Client, publication: Publication, registry: CollectorRegistry
) -> None:
    """By whom and why, for operators; how many, for the alert. Nothing is left of a client that hung up."""

    def refusing() -> float | None:
        return registry.get_sample_value("ordermesh_control_plane_refusing", {"type": "ClusterLoadAssignment"})

    publication.publish(snapshot_of())
    client.ask("order")
    first = await client.hear()
    client.ask("order", nonce=first.nonce, error="no such thing")
    await asyncio.sleep(0.01)
    (subscriber,) = client.discovery.subscribers
    assert [(each.type, each.reason) for each in subscriber.refusals] == [("ClusterLoadAssignment", "no such thing")]
    assert refusing() == 1

    publication.publish(snapshot_of(order=(instance(1),)))
    second = await client.hear()
    client.ask("order", nonce=second.nonce)
    await asyncio.sleep(0.01)
    assert refusing() is None

    client.ask("order", nonce=second.nonce, error="not that either")
    client.hang_up()
    with pytest.raises(StopAsyncIteration):
        await client.hear()
    assert (refusing(), client.discovery.subscribers) == (None, [])
