"""What a watching client tells the bench."""

import json

import pytest

from bench.watchers import tell
from mesh.control_plane.conversation import Conversation
from mesh.control_plane.snapshot import ResourceType
from tests.unit.mesh.control_plane.examples import instance, snapshot_of
from tests.unit.mesh.control_plane.test_conversation import request


@pytest.mark.parametrize(
    ("kind", "told"), [(ResourceType.ENDPOINTS, {"port": 3, "at": 7}), (ResourceType.CLUSTER, {"limit": 1024, "at": 7})]
)
def test_it_tells_what_is_new(kind: ResourceType, told: dict[str, int], capsys: pytest.CaptureFixture[str]) -> None:
    """The newest instance has the highest port."""
    conversation = Conversation("any")
    conversation.receive(request(kind, "order"))
    [response] = conversation.responses(snapshot_of(order=(instance(1), instance(3), instance(2))))

    tell(response, 7)

    assert json.loads(capsys.readouterr().out) == told
