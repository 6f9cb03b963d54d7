"""The examples of docs/traffic-policy.md are documents that would be accepted."""

import json
from pathlib import Path

import pytest

from mesh import documents
from mesh.contract import Contract
from mesh.control_plane.methods import methods_of
from mesh.control_plane.policy import accept
from ordermesh.mesh.v1.service_settings_pb2 import ServiceSettings

GUIDE = Path(__file__).resolve().parents[4] / "docs" / "traffic-policy.md"


def examples() -> list[str]:
    """Find the indented blocks that begin with a brace."""
    blocks = GUIDE.read_text().split("\n\n")
    return [block for block in blocks if block.startswith("    {")]


@pytest.mark.parametrize("example", examples())
def test_an_example_is_accepted(example: str) -> None:
    """Whoever copies it must not be disappointed."""
    content = json.loads(example)
    if content.keys() & {"logLevel", "flags"}:
        assert documents.read(ServiceSettings, example.encode()).flags
    else:
        methods = methods_of(Contract.load())
        service = "inventory" if "faults" in content else "order"
        assert accept(service, example.encode(), methods).ListFields()


def test_there_are_examples() -> None:
    """Of a canary with and without a header, zones, limits, a drill and settings."""
    assert len(examples()) == 6
