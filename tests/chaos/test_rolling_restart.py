"""Every service is restarted under load, one instance at a time, and nobody notices."""

import time
from collections.abc import Callable

import pytest

from tests.chaos.conftest import UnderLoad
from tests.chaos.instances import Mesh, Second


@pytest.mark.timeout(400)
def test_a_rolling_restart_fails_no_request(
    mesh: Mesh, second_instances: dict[str, Second], load: UnderLoad, note: Callable[..., None]
) -> None:
    """Each instance leaves the mesh before it stops, and gets calls again when it is healthy.

    Over REST, over gRPC through the edge, and inside the mesh.
    """
    with load() as traffic:
        for service in second_instances:
            mesh.supervisor.stop([service])
            mesh.becomes(service, healthy=1)
            traffic.goes_on(since=time.time())
            mesh.supervisor.run(service)
            mesh.becomes(service, healthy=2)
            traffic.goes_on(since=time.time())
        calls = traffic.stop()
    note(**calls.figures())
    assert calls.told() == []
