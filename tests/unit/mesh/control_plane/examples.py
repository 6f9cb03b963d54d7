"""Instances and snapshots that the tests of the control plane share."""

from mesh.control_plane.resources import lasting, snapshot
from mesh.control_plane.snapshot import Snapshot
from mesh.control_plane.world import Health, Instance, World

REPEATABLE = {"order": ["/ordermesh.order.v1.OrderService/GetOrder"], "product": []}


def instance(port: int, health: Health = Health.HEALTHY, *, name: str = "", zone: str = "zone-a") -> Instance:
    """Make an instance on loopback, named after its port."""
    return Instance(name or f"i-{port}", "127.0.0.1", port, "dc1", zone, health)


def snapshot_of(**services: tuple[Instance, ...]) -> Snapshot:
    """Make the snapshot of a world in which the services named have these instances."""
    return snapshot(lasting(REPEATABLE, None), World(1, services))
