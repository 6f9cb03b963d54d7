"""What is lost, a replica, Consul or its data, does not stop traffic. Each test runs a Consul of its own."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integration.mesh.control_plane.backend import Backend, instance
from tests.integration.mesh.control_plane.client import calling
from tests.integration.mesh.control_plane.consul import Consul
from tests.integration.mesh.control_plane.policies import KEY
from tests.integration.mesh.control_plane.processes import eventually
from tests.integration.mesh.control_plane.replica import ControlPlane, serving

UP = "ordermesh_control_plane_consul_up"
HELD = 'ordermesh_control_plane_held{service="order"}'
HEALTHY = 'ordermesh_control_plane_endpoints{health="healthy",service="order"}'


@pytest.fixture
async def own_consul(consul_binary: Path, tmp_path: Path) -> AsyncIterator[Consul]:
    """Run a Consul that the test may end."""
    server = Consul(consul_binary, tmp_path)
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def replicas(own_consul: Consul, tmp_path: Path) -> list[ControlPlane]:
    """Prepare two replicas."""
    token = await own_consul.reading_token()
    both = [ControlPlane(tmp_path, own_consul, token, f"control-plane-{number}") for number in range(2)]
    return [each.known_as(",".join(other.address for other in both)) for each in both]


async def goes_on(backend: Backend, calls: int = 100) -> None:
    """Wait for that many further calls."""
    before = backend.calls
    await eventually(lambda: backend.calls >= before + calls)


async def test_calls_go_on_without_a_replica_and_then_without_consul(
    own_consul: Consul, replicas: list[ControlPlane], tmp_path: Path
) -> None:
    """A client that was there carries on, and one that comes now is told the last good snapshot."""
    first, second = replicas
    async with (
        instance(own_consul, "order-1") as backend,
        serving(first),
        serving(second),
        calling(tmp_path, replicas) as caller,
    ):
        await caller.sees("order-1")
        await first.stop(kill=True)
        await goes_on(backend)
        await own_consul.stop()
        await second.reaches(UP, 0)
        await goes_on(backend)
        async with calling(tmp_path, replicas) as newcomer:
            await newcomer.sees("order-1")
    assert set(newcomer.counts) == {"order-1"}
    assert set(caller.counts) == {"order-1"}


async def test_a_client_hears_news_from_the_other_replica_after_a_graceful_stop(
    own_consul: Consul, replicas: list[ControlPlane], tmp_path: Path
) -> None:
    """A replica that is asked to stop lets its streams go at once, and clients follow the one that stays."""
    first, second = replicas
    async with (
        instance(own_consul, "order-1"),
        serving(first),
        serving(second),
        calling(tmp_path, replicas) as caller,
    ):
        await caller.sees("order-1")
        assert await first.stop() == 0
        async with instance(own_consul, "order-2"):
            await caller.sees("order-2")
    assert set(caller.counts) == {"order-1", "order-2"}


async def test_a_restarted_consul_changes_nothing(
    own_consul: Consul, replicas: list[ControlPlane], tmp_path: Path
) -> None:
    """Consul calls every check critical until it has run again; no client is told so."""
    replica = replicas[0]
    async with (
        instance(own_consul, "order-1"),
        serving(replica),
        calling(tmp_path, replicas) as caller,
    ):
        await caller.sees("order-1")
        await own_consul.stop()
        await replica.reaches(UP, 0)
        await own_consul.start()
        await replica.reaches(UP, 1)
        await own_consul.passes("order", "order-1")
        async with instance(own_consul, "order-2"):
            await caller.sees("order-2")
    assert set(caller.counts) == {"order-1", "order-2"}


async def test_a_consul_that_lost_its_data_does_not_empty_the_mesh(
    own_consul: Consul, replicas: list[ControlPlane], tmp_path: Path
) -> None:
    """Endpoints are kept while the token, and then the instances, are unknown; what registers anew is believed.

    The traffic policy is kept too, until there is one again.
    """
    replica, token = replicas[0], replicas[0].token
    await own_consul.write(KEY, {"maxConcurrentRequests": 77})
    async with (
        instance(own_consul, "order-1") as backend,
        serving(replica),
        calling(tmp_path, replicas) as caller,
    ):
        await caller.sees("order-1")
        await own_consul.stop()
        own_consul.forget()
        await own_consul.start()
        await replica.reaches(UP, 0)
        await own_consul.allow_reading(token)
        await replica.reaches(HELD, 1)
        await goes_on(backend)
        await own_consul.register("order", "order-1", backend.port)
        await replica.reaches(HELD, 0)
        await replica.reaches(HEALTHY, 1)
        await goes_on(backend)
        assert replica.log.read_text().count("policy_changed") == 1
        await own_consul.write(KEY, {"maxConcurrentRequests": 78})
        await eventually(lambda: replica.log.read_text().count("policy_changed") == 2)
    assert set(caller.counts) == {"order-1"}


async def test_a_replica_waits_for_consul_before_it_serves(own_consul: Consul, replicas: list[ControlPlane]) -> None:
    """Whoever starts first waits: until it knows Consul's state, a replica has nothing to tell and does not listen."""
    replica = replicas[0]
    await own_consul.stop()
    await replica.start(wait=False)
    await eventually(replica.exports)
    assert not replica.listens()
    await own_consul.start()
    await eventually(replica.listens)
    assert await replica.stop() == 0
