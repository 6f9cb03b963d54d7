"""The lists of instances that clients are told."""

from envoy.config.core.v3 import health_check_pb2

from mesh.control_plane.endpoints import load_assignment, one_for_each_address
from mesh.control_plane.policy import DEFAULTS
from mesh.control_plane.world import Health
from tests.unit.mesh.control_plane.examples import instance


def test_endpoints_carry_the_verdict_of_their_checks() -> None:
    """Sick and draining instances are listed as such rather than left out."""
    found = (instance(1), instance(2, Health.UNHEALTHY), instance(3, Health.DRAINING))

    [zone] = load_assignment("order", found, {"": 100}, "", DEFAULTS.zones).endpoints

    assert [each.health_status for each in zone.lb_endpoints] == [
        health_check_pb2.HEALTHY,
        health_check_pb2.UNHEALTHY,
        health_check_pb2.DRAINING,
    ]


def test_localities_have_region_zone_and_version() -> None:
    """Within one priority, gRPC refuses two of one name."""
    found = (instance(1, zone="a"), instance(2, zone="a", version="2"))

    endpoints = load_assignment("order", found, {"": 90, "2": 10}, "", DEFAULTS.zones).endpoints

    assert [(each.locality.region, each.locality.zone, each.locality.sub_zone) for each in endpoints] == [
        ("dc1", "a", ""),
        ("dc1", "a", "2"),
    ]
    assert [(each.priority, each.load_balancing_weight.value) for each in endpoints] == [(0, 9000), (0, 1000)]


def test_two_instances_on_one_address_are_one_endpoint() -> None:
    """The registration of a crashed process outlives it; its successor on the port is what counts."""
    found = (instance(1, Health.UNHEALTHY, name="dead"), instance(1, name="successor", zone="b"))

    assert [each.id for each in one_for_each_address(found)] == ["successor"]
