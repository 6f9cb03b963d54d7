"""What the mesh is run by is away for a while: traffic goes on."""

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator

import httpx
import pytest

from tests.chaos.conftest import UnderLoad
from tests.chaos.instances import Mesh, Second
from tests.e2e.shop import eventually

CONTROL_PLANE_AWAY_S = 60
CONSUL_AWAY_S = 30
START_S = 90.0


@contextlib.contextmanager
def away(mesh: Mesh, *programs: str) -> Iterator[None]:
    """Stop programs of the stack while the body runs."""
    mesh.supervisor.stop(programs)
    try:
        yield
    finally:
        for program in programs:
            mesh.supervisor.run(program)


def leads(mesh: Mesh) -> bool:
    """Whether Consul answers and has a leader."""
    with contextlib.suppress(httpx.TransportError, httpx.HTTPStatusError):
        return bool(mesh.consul("GET", "/v1/status/leader").json())
    return False


@pytest.mark.timeout(400)
def test_without_a_control_plane_an_instance_may_die(
    mesh: Mesh, second_instances: dict[str, Second], load: UnderLoad, note: Callable[..., None]
) -> None:
    """For a minute nobody is told anything; afterwards those who were there and those who come hear the news."""
    replicas = [f"control-plane-{index}" for index in range(mesh.stack.topology.mesh.control_plane_replicas)]
    with load() as traffic:
        with away(mesh, *replicas):
            begun = time.time()
            traffic.goes_on(since=begun)
            killed = second_instances["inventory"].kill()
            traffic.goes_on(since=killed[1])
            # How long it is away is the point.
            time.sleep(max(0.0, begun + CONTROL_PLANE_AWAY_S - time.time()))
        back = time.time()
        second_instances["inventory"].start()
        mesh.becomes("inventory", healthy=2)
        with load() as newcomer:
            heard = time.time() - back
            newcomer.goes_on(since=time.time())
            later = newcomer.stop()
        calls = traffic.stop()
    note(a_newcomer_is_served_after_s=round(heard, 1), **calls.figures())
    assert calls.repeatable.told() == []
    assert calls.where(lambda call: not call.under_way(*killed)).told() == []
    assert later.told() == []


@pytest.mark.timeout(300)
def test_a_consul_that_is_restarted_fails_no_call(
    mesh: Mesh, second_instances: dict[str, Second], load: UnderLoad, note: Callable[..., None]
) -> None:
    """It comes back with what it knew; until then everybody goes by what they were told."""
    with load() as traffic:
        os.kill(mesh.supervisor.state("consul").pid, signal.SIGKILL)
        eventually(lambda: leads(mesh), within_s=START_S)
        for service in second_instances:
            mesh.becomes(service, healthy=2)
        traffic.goes_on(since=time.time())
        calls = traffic.stop()
    note(**calls.figures())
    assert calls.told() == []


@pytest.mark.timeout(300)
def test_a_consul_that_is_away_for_half_a_minute_fails_no_call(
    mesh: Mesh, second_instances: dict[str, Second], load: UnderLoad, note: Callable[..., None]
) -> None:
    """Nobody joins and nobody is found sick in the meantime, and nobody is missed."""
    with load() as traffic:
        with away(mesh, "consul"):
            time.sleep(CONSUL_AWAY_S)  # As above.
        eventually(lambda: leads(mesh), within_s=START_S)
        for service in second_instances:
            mesh.becomes(service, healthy=2)
        traffic.goes_on(since=time.time())
        calls = traffic.stop()
    note(**calls.figures())
    assert calls.told() == []
