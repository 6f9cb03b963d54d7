"""What Consul knows reaches gRPC's own clients: real Consul, real control plane, real servers and callers."""

import time
from collections.abc import Callable
from pathlib import Path

import grpc
import pytest

from tests.integration.mesh.control_plane.backend import Backend, instance
from tests.integration.mesh.control_plane.client import CREATE_ORDER, calling
from tests.integration.mesh.control_plane.consul import Consul
from tests.integration.mesh.control_plane.processes import eventually
from tests.integration.mesh.control_plane.replica import ControlPlane

pytestmark = pytest.mark.asyncio(loop_scope="package")


async def test_a_registered_service_is_reached(
    consul: Consul, replica: ControlPlane, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """A client that knows nothing but the name reaches an instance as soon as its first check has passed."""
    async with calling(tmp_path, [replica]) as caller:
        await caller.sees("UNAVAILABLE", 10)
        registered = time.time()
        async with instance(consul, "order-1", passing=False):
            await consul.passes("order", "order-1")
            passed = time.time()
            reached = await caller.sees("order-1")
    record_property("registration_to_first_call_ms", round((reached - registered) * 1000))
    record_property("check_to_first_call_ms", round((reached - passed) * 1000))
    assert reached - registered < 5
    assert reached - passed < 1
    assert await replica.refusals() == 0


@pytest.mark.parametrize("service", ["payment", "no-such-service"])
async def test_a_service_without_instances_fails_at_once(replica: ControlPlane, tmp_path: Path, service: str) -> None:
    """Whoever calls a service that has not started, or that no contract knows, learns it in a moment."""
    async with calling(tmp_path, [replica], service) as caller:
        await caller.sees("UNAVAILABLE")
    assert caller.seen["UNAVAILABLE"]["seconds"] < 2


async def test_every_instance_gets_its_share(consul: Consul, replica: ControlPlane, tmp_path: Path) -> None:
    """An instance that joins takes half of the calls from then on."""
    async with instance(consul, "order-1") as first, calling(tmp_path, [replica]) as caller:
        await caller.sees("order-1")
        async with instance(consul, "order-2") as second:
            await caller.sees("order-2")
            before = first.calls, second.calls
            await eventually(lambda: second.calls - before[1] >= 100)
            shares = first.calls - before[0], second.calls - before[1]
    assert abs(shares[0] - shares[1]) <= 10
    assert set(caller.counts) - {"UNAVAILABLE"} == {"order-1", "order-2"}


async def test_a_failing_check_takes_an_instance_out_until_it_passes(
    consul: Consul, replica: ControlPlane, tmp_path: Path
) -> None:
    """Consul's verdict is followed both ways, without a failed call."""
    async with (
        instance(consul, "order-1") as first,
        instance(consul, "order-2") as second,
        calling(tmp_path, [replica]) as caller,
    ):
        await caller.sees("order-2")
        await second.say(healthy=False)
        await idle(second, first)
        await second.say(healthy=True)
        before = second.calls
        await eventually(lambda: second.calls > before)
    assert set(caller.counts) == {"order-1", "order-2"}


async def test_deregistering_takes_an_instance_out(consul: Consul, replica: ControlPlane, tmp_path: Path) -> None:
    """An instance that leaves gets no more calls, and no call fails for it."""
    async with instance(consul, "order-1") as first, calling(tmp_path, [replica]) as caller:
        async with instance(consul, "order-2") as second:
            await caller.sees("order-2")
            await consul.deregister("order-2")
            await idle(second, first)
        await eventually(lambda: bool(first.calls))
    assert set(caller.counts) == {"order-1", "order-2"}


async def test_an_instance_that_fails_half_of_its_calls_is_ejected(
    consul: Consul, replica: ControlPlane, tmp_path: Path
) -> None:
    """One that answers its check and yet fails gets nothing for a while; at most half of all are ejected."""
    async with (
        instance(consul, "order-1") as first,
        instance(consul, "order-2") as failing,
        calling(tmp_path, [replica], path=CREATE_ORDER) as caller,
    ):
        await caller.sees("order-2")
        failing.refusal = grpc.StatusCode.UNAVAILABLE
        await idle(failing, first)
        first.refusal = grpc.StatusCode.UNAVAILABLE
        await idle(failing, first)


async def idle(one: Backend, other: Backend) -> None:
    """Wait until one instance gets nothing while the other goes on."""
    calls, marker = -1, 0

    def quiet() -> bool:
        nonlocal calls, marker
        if one.calls != calls:
            calls, marker = one.calls, other.calls
        return other.calls - marker >= 50

    await eventually(quiet)


async def test_an_instance_that_shows_another_services_certificate_is_sent_nothing(
    consul: Consul, replica: ControlPlane, tmp_path: Path
) -> None:
    """The catalog says where a service is, its SPIFFE id says that it is the one: callers ask for both."""
    async with instance(consul, "order-1", shows="product") as impostor, calling(tmp_path, [replica]) as caller:
        await caller.sees("UNAVAILABLE")
        async with instance(consul, "order-2"):
            await caller.sees("order-2")
            await caller.finish()
    assert impostor.calls == 0
    assert set(caller.counts) == {"UNAVAILABLE", "order-2"}
    assert "certificate" in caller.seen["UNAVAILABLE"]["details"].lower()
