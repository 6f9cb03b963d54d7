"""What gRPC clients and the Envoy edge are told, put together."""

from dataclasses import replace

from envoy.config.route.v3.route_pb2 import RouteConfiguration

from mesh.control_plane.resources import Resources
from mesh.control_plane.snapshot import ResourceType, Snapshot
from mesh.control_plane.world import Instance, World
from tests.unit.mesh.control_plane.examples import METHODS, instance, policies, snapshot_of

ZONES = {"zones": {"preferOwn": True}}
CANARY = {"canary": {"versions": [{"version": "2", "percent": 10}]}}


def differences(before: Snapshot, after: Snapshot) -> set[tuple[ResourceType, str]]:
    """List what gRPC clients are told anew."""
    old, new = before.view("order"), after.view("order")
    return {(kind, name) for kind in ResourceType for name, each in new[kind].items() if each != old[kind].get(name)}


def test_every_known_service_is_described_even_without_instances() -> None:
    """A client of a service that has not started must learn so at once, not after a timeout."""
    view = snapshot_of().view("order")

    assert {kind: set(view[kind]) for kind in ResourceType} == {kind: {"order", "product"} for kind in ResourceType}


def test_the_edge_gets_clusters_and_endpoints_only() -> None:
    """Its listeners and routes are made from the descriptors, at the gateway."""
    assert set(snapshot_of().view("edge")) == {ResourceType.CLUSTER, ResourceType.ENDPOINTS}


def test_a_version_with_a_share_has_a_cluster_of_its_own() -> None:
    """The edge, whose routes know services only, has its split in the endpoints."""
    told = snapshot_of(CANARY, order=(instance(1), instance(2, version="2")))

    assert set(told.view("product")[ResourceType.CLUSTER]) == {"order", "order/2", "product"}
    assert set(told.view("product")[ResourceType.ENDPOINTS]) == {"order", "order/2", "product"}
    assert set(told.view("edge")[ResourceType.CLUSTER]) == {"order", "product"}


def test_callers_of_different_zones_are_told_different_endpoints_where_that_matters() -> None:
    """Whoever comes from a zone that nobody serves from is told what those without a zone are."""
    found = (instance(1, zone="a"), instance(2, zone="b"))
    kind = ResourceType.ENDPOINTS
    alike, unlike = snapshot_of(order=found), snapshot_of(ZONES, order=found)

    assert alike.view("product", "a")[kind]["order"] is alike.view("product", "b")[kind]["order"]
    assert unlike.view("product", "a")[kind]["order"] != unlike.view("product", "b")[kind]["order"]
    assert unlike.view("product", "nowhere") is unlike.view("product")


def test_equal_content_has_equal_versions_on_every_replica() -> None:
    """Versions come from content alone, whatever the order in which it was learned."""
    one = Resources(METHODS, None).snapshot(World(1, {"order": (instance(1), instance(2))}), policies(order=CANARY))
    other = Resources(dict(reversed(METHODS.items())), None).snapshot(
        World(7, {"order": (instance(2), instance(1))}), policies(product={}, order=CANARY)
    )

    assert one == other


def test_a_change_of_instances_changes_only_that_service_s_endpoints() -> None:
    """Everything else keeps its version, so it is not sent again."""
    changed = differences(snapshot_of(order=(instance(1),)), snapshot_of(order=(instance(2),)))

    assert changed == {(ResourceType.ENDPOINTS, "order")}


def test_a_change_of_policy_changes_only_what_it_is_about() -> None:
    """A limit is in the cluster, so that routes and endpoints stay as they are."""
    changed = differences(snapshot_of(), snapshot_of({"maxConcurrentRequests": 7}))

    assert changed == {(ResourceType.CLUSTER, "order")}


def test_what_did_not_change_is_not_built_again() -> None:
    """The same resource comes back when only another service changed."""
    resources, none = Resources(METHODS, None), policies()
    before = resources.snapshot(World(1, {"order": (instance(1),), "product": (instance(2),)}), none)
    after = resources.snapshot(World(1, {"order": (instance(1),), "product": (instance(3),)}), none)

    kind = ResourceType.ENDPOINTS
    assert after.view("")[kind]["order"] is before.view("")[kind]["order"]
    assert after.view("")[kind]["product"] != before.view("")[kind]["product"]


def test_a_guest_s_methods_are_repeated_only_if_all_its_instances_allow_it() -> None:
    """There is no contract to go by, and an instance of an older version may not be able to."""
    path = "/acme.loyalty.v1.LoyaltyService/GetPoints"
    able, unable = (replace(instance(port), methods=((path, port == 1),)) for port in (1, 2))

    def repeated(*instances: Instance) -> bool:
        kind = ResourceType.ROUTES
        body = snapshot_of(loyalty=instances).view("order")[kind]["loyalty"].body
        found = RouteConfiguration.FromString(body.value).virtual_hosts[0].routes
        return any(each.match.path == path and each.route.HasField("retry_policy") for each in found)

    assert (repeated(able), repeated(able, unable), repeated()) == (True, False, False)
