"""Who gets which share of the calls, and who stands behind whom."""

from hypothesis import given
from hypothesis import strategies as st

from mesh.control_plane.localities import SCALE, Shares, spread
from mesh.control_plane.policy import DEFAULTS
from mesh.control_plane.world import Health, Instance
from ordermesh.mesh.v1.traffic_policy_pb2 import ZoneRouting
from tests.unit.mesh.control_plane.examples import instance

ALIKE = DEFAULTS.zones
ALL: Shares = {"": 100}
SICK = Health.UNHEALTHY


def own_first(*order: str) -> ZoneRouting:
    """Prefer the caller's zone, and then these."""
    return ZoneRouting(prefer_own=True, full_load_percent=70, order=order)


def placed(found: list[Instance], shares: Shares, zone: str, routing: ZoneRouting) -> list[tuple[str, int, int]]:
    """List zone and version, priority and weight of each locality."""
    return [
        (each.locality.zone + each.locality.version, each.priority, each.weight)
        for each in spread(found, shares, zone, routing)
    ]


def test_zones_weigh_as_much_as_their_healthy_instances() -> None:
    """So each instance gets the same share; a zone without any stands behind, for then nobody knows better."""
    found = [instance(1, zone="a"), instance(2, zone="a"), instance(3, zone="b"), instance(4, SICK, zone="c")]

    assert placed(found, ALL, "a", ALIKE) == [("a", 0, 6667), ("b", 0, 3333), ("c", 1, 1)]


def test_the_own_zone_takes_everything_while_it_is_well() -> None:
    """The zones named follow in their order, and all others at the end, together."""
    found = [instance(port, zone=zone) for port, zone in enumerate("abcde", 1)]

    assert placed(found, ALL, "b", own_first("d", "b", "a")) == [
        ("b", 0, SCALE),
        ("d", 1, 1),
        ("a", 2, 1),
        ("c", 3, 1),
        ("e", 3, 1),
    ]


def test_what_a_weak_zone_can_not_take_goes_to_the_next() -> None:
    """Of four instances one is healthy: 25% is 36% of the 70% that make a full load."""
    weak = [instance(1, zone="a"), *(instance(port, SICK, zone="a") for port in (2, 3, 4))]

    assert placed([*weak, instance(5, zone="b"), instance(6, zone="c")], ALL, "a", own_first("c")) == [
        ("a", 0, 3571),
        ("c", 0, 6429),
        ("b", 1, 1),
    ]


def test_a_zone_without_a_healthy_instance_takes_nothing() -> None:
    """It stands behind the others, and is tried when they are gone."""
    assert placed([instance(1, SICK, zone="a"), instance(2, zone="b")], ALL, "a", own_first()) == [
        ("b", 0, SCALE),
        ("a", 1, 1),
    ]


def test_priorities_begin_at_zero_when_nobody_is_healthy() -> None:
    """GRPC refuses a list with gaps."""
    found = [instance(1, SICK, zone="a"), instance(2, SICK, zone="b")]

    assert placed(found, ALL, "a", own_first()) == [("a", 0, 1), ("b", 1, 1)]


def test_versions_share_by_percent_whatever_their_number() -> None:
    """One instance of the new version among nine gets 10% of the calls, and so do three."""
    old = [instance(port) for port in range(1, 7)]
    for new in ([instance(7, version="2")], [instance(port, version="2") for port in (7, 8, 9)]):
        assert placed(old + new, {"2": 10, "": 90}, "", ALIKE) == [("zone-a", 0, 9000), ("zone-a2", 0, 1000)]


def test_a_version_that_is_gone_leaves_its_share_to_the_others() -> None:
    """Weights are relative to each other, so nothing is sent where nobody answers."""
    found = [instance(1), instance(2, SICK, version="2")]

    assert placed(found, {"2": 10, "": 90}, "", ALIKE) == [("zone-a", 0, 9000), ("zone-a2", 1, 1)]


def test_a_version_with_nothing_to_do_serves_when_all_others_are_gone() -> None:
    """It stands behind every other locality."""
    found = [instance(1, version="2", zone="a"), instance(2, zone="b"), instance(3, zone="a")]

    assert placed(found, {"2": 0, "": 100}, "a", own_first()) == [("a", 0, SCALE), ("b", 1, 1), ("a2", 2, 1)]


instances = st.lists(
    st.builds(
        instance,
        st.integers(1, 50),
        st.sampled_from((Health.HEALTHY, SICK, Health.DRAINING)),
        zone=st.sampled_from("abc"),
        version=st.sampled_from(("1", "2", "3")),
    ),
    max_size=12,
    unique_by=lambda each: each.port,
)


@given(
    instances,
    st.integers(0, 100),
    st.sampled_from(("", "a", "b", "z")),
    st.sampled_from((ALIKE, own_first(), own_first("c"))),
)
def test_nobody_is_lost_and_the_list_is_one_that_grpc_takes(
    found: list[Instance], percent: int, zone: str, routing: ZoneRouting
) -> None:
    """Each instance is somewhere, priorities have no gaps, no weight is 0, and no locality comes twice in one."""
    result = spread(found, {"2": percent, "": 100 - percent}, zone, routing)

    assert sorted(port.port for each in result for port in each.locality.instances) == sorted(e.port for e in found)
    assert {each.priority for each in result} == set(range(len({each.priority for each in result})))
    assert all(0 < each.weight <= SCALE for each in result)
    names = [(each.priority, each.locality.zone, each.locality.version) for each in result]
    assert len(names) == len(set(names))
