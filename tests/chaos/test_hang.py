"""An instance that hangs keeps its connections and answers nothing: clients leave it out within three seconds.

Consul's verdict, which needs two answers that did not come, follows.
"""

import time
from collections.abc import Callable

import pytest

from tests.chaos.conftest import UnderLoad
from tests.chaos.instances import Mesh, Second

LEFT_OUT_S = 3.0


@pytest.mark.parametrize("service", ["inventory", "order"])
def test_a_hung_instance_is_left_out_and_comes_back(
    mesh: Mesh, second_instances: dict[str, Second], load: UnderLoad, note: Callable[..., None], service: str
) -> None:
    """Calls that may be repeated are, unless their own deadline is sooner; what begins later goes elsewhere."""
    hung = second_instances[service]
    with load() as traffic:
        stopped = hung.hang()
        mesh.becomes(service, healthy=1)
        seen = time.time() - stopped
        traffic.goes_on(since=time.time(), calls=100)
        woken = hung.wake()
        mesh.becomes(service, healthy=2)
        back = time.time() - woken
        traffic.goes_on(since=time.time())
        calls = traffic.stop()
    later = calls.where(lambda call: call.begun > stopped + LEFT_OUT_S)
    note(
        consul_saw_it_after_s=round(seen, 1),
        longest_wait_s=calls.longest_wait,
        longest_wait_of_calls_begun_after_3_s=later.longest_wait,
        consul_saw_it_back_after_s=round(back, 1),
        **calls.figures(),
    )
    assert calls.repeatable.where(lambda call: call.code != "DEADLINE_EXCEEDED").told() == []
    assert later.told() == []
