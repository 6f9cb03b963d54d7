"""A whole zone is gone: the other one answers."""

import contextlib
import time
from collections.abc import Callable

import pytest

from tests.chaos.conftest import UnderLoad
from tests.chaos.instances import Mesh, Second


@pytest.mark.timeout(400)
def test_a_zone_may_go(
    mesh: Mesh, second_instances: dict[str, Second], load: UnderLoad, note: Callable[..., None]
) -> None:
    """All that is in the callers' own zone dies at once; what may be repeated succeeds elsewhere."""
    with contextlib.ExitStack() as running:
        for service in second_instances:
            running.enter_context(mesh.another(service, 6, {"ORDERMESH_ZONE": "zone-b"}))
        for service in second_instances:
            mesh.becomes(service, healthy=3)
        with load() as traffic:
            begun = time.time()
            for second in second_instances.values():
                second.kill()
            mesh.kill(second_instances)
            gone = time.time()
            traffic.goes_on(since=gone)
            calls = traffic.stop()
        for service, second in second_instances.items():
            second.start()
            mesh.supervisor.run(service)
        for service in second_instances:
            mesh.becomes(service, healthy=3)
    note(killing_took_s=round(gone - begun, 1), **calls.figures())
    assert calls.repeatable.told() == []
    assert calls.where(lambda call: call.ended < begun or call.begun > gone).told() == []
