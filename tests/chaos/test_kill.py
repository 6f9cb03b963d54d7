"""An instance is gone from one moment to the next: of what was under way on it, only what can't be repeated fails."""

import time
from collections.abc import Callable

import pytest

from tests.chaos.conftest import UnderLoad
from tests.chaos.instances import Mesh, Second


@pytest.mark.parametrize("service", ["product", "inventory", "payment", "order", "auth", "notification"])
def test_a_killed_instance_costs_at_most_the_calls_under_way_on_it(
    mesh: Mesh, second_instances: dict[str, Second], load: UnderLoad, note: Callable[..., None], service: str
) -> None:
    """Of those that may be repeated none fails; of the rest, none of another service and none begun afterwards."""
    with load() as traffic:
        killed = second_instances[service].kill()
        traffic.goes_on(since=time.time())
        second_instances[service].start()
        mesh.becomes(service, healthy=2)
        calls = traffic.stop()
    under_way = calls.where(lambda call: call.under_way(*killed))
    note(under_way=len(under_way), **calls.figures())
    assert calls.repeatable.told() == []
    assert calls.where(lambda call: not call.under_way(*killed)).told() == []
    foreign = calls.where(lambda call: not call.method.lower().startswith(service))
    assert foreign.told() == []
