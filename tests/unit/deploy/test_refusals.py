"""What make status says of the control planes' own figures."""

from prometheus_client import CollectorRegistry, generate_latest

from deploy.native.refusals import complaints_in
from mesh.control_plane.metrics import Metrics
from mesh.control_plane.world import World
from tests.unit.mesh.control_plane.examples import instance


def test_refused_resources_and_held_services_are_named() -> None:
    """By the control plane's own metrics; what is well is not mentioned."""
    metrics = Metrics(registry := CollectorRegistry())
    metrics.refuse(["Cluster", "Cluster"])
    metrics.knows(World(1, {"auth": (instance(1),), "order": (instance(2),)}, frozenset({"auth"})))
    assert list(complaints_in("control-plane-0", generate_latest(registry).decode())) == [
        "control-plane-0 keeps the last instances of auth, which Consul lists no more",
        "control-plane-0: 2 clients refuse Cluster; make mesh says who, and why",
    ]


def test_a_control_plane_without_trouble_is_not_mentioned() -> None:
    """Nothing refused, nothing held."""
    metrics = Metrics(registry := CollectorRegistry())
    metrics.knows(World(1, {"auth": (instance(1),)}))
    assert list(complaints_in("control-plane-0", generate_latest(registry).decode())) == []
