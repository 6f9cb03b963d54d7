"""Instances, policies and snapshots that the tests of the control plane share."""

import json
from collections.abc import Mapping

from mesh.control_plane.policy import Documents, Policies, judge
from mesh.control_plane.resources import Resources
from mesh.control_plane.snapshot import Snapshot
from mesh.control_plane.world import Health, Instance, World

READ, WRITE = "/ordermesh.order.v1.OrderService/GetOrder", "/ordermesh.order.v1.OrderService/CreateOrder"
METHODS = {"order": {READ: True, WRITE: False}, "product": {}}


def instance(
    port: int, health: Health = Health.HEALTHY, *, name: str = "", zone: str = "zone-a", version: str = ""
) -> Instance:
    """Make an instance on loopback, named after its port."""
    return Instance(name or f"i-{port}", "127.0.0.1", port, "dc1", zone, health, version)


def documents(index: int = 1, **by_name: object) -> Documents:
    """Make what Consul's KV holds; texts are taken as they are, all else as JSON."""
    texts = {name: each if isinstance(each, str) else json.dumps(each) for name, each in by_name.items()}
    return Documents(index, {name: text.encode() for name, text in texts.items()})


def policies(**by_name: object) -> Policies:
    """Make policies in force of documents that must be good."""
    judged = judge(Policies(), documents(1, **by_name), METHODS)
    assert not judged.rejected
    return judged


def snapshot_of(policy: Mapping[str, object] | None = None, **services: tuple[Instance, ...]) -> Snapshot:
    """Make the snapshot of a world in which the services named have these instances; the policy is that of `order`."""
    return Resources(METHODS, None).snapshot(World(1, services), policies(order=policy or {}))
