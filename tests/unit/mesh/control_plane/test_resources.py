"""What gRPC clients and the Envoy edge are told."""

from envoy.config.cluster.v3 import cluster_pb2
from envoy.config.core.v3 import health_check_pb2
from envoy.extensions.upstreams.http.v3 import http_protocol_options_pb2

from mesh.control_plane import resources
from mesh.control_plane.snapshot import ResourceType
from mesh.control_plane.world import Health, World
from tests.unit.mesh.control_plane.examples import REPEATABLE, instance, snapshot_of


def test_every_known_service_is_described_even_without_instances() -> None:
    """A client of a service that has not started must learn so at once, not after a timeout."""
    view = snapshot_of().view("order")

    assert {kind: set(view[kind]) for kind in ResourceType} == {kind: {"order", "product"} for kind in ResourceType}


def test_the_edge_gets_clusters_and_endpoints_only() -> None:
    """Its listeners and routes are made from the descriptors, at the gateway."""
    assert set(snapshot_of().view("edge")) == {ResourceType.CLUSTER, ResourceType.ENDPOINTS}


def test_only_methods_that_may_be_repeated_are_retried() -> None:
    """The routes with a retry policy are those named; everything else falls through to one without."""
    *named, rest = resources.routes("order", REPEATABLE["order"]).virtual_hosts[0].routes

    assert [(route.match.path, route.route.retry_policy.retry_on) for route in named] == [
        ("/ordermesh.order.v1.OrderService/GetOrder", "unavailable,cancelled")
    ]
    assert rest.match.WhichOneof("path_specifier") == "prefix"
    assert not rest.route.HasField("retry_policy")


def test_no_route_sets_a_timeout() -> None:
    """Deadlines belong to the stubs, because those of xDS fire too early."""
    found = resources.routes("order", REPEATABLE["order"]).virtual_hosts[0].routes

    assert not any(route.route.HasField("timeout") or route.route.HasField("max_stream_duration") for route in found)


def test_endpoints_carry_the_verdict_of_their_checks() -> None:
    """Sick and draining instances are listed as such rather than left out."""
    found = (instance(1), instance(2, Health.UNHEALTHY), instance(3, Health.DRAINING))

    [zone] = resources.load_assignment("order", found).endpoints

    assert [each.health_status for each in zone.lb_endpoints] == [
        health_check_pb2.HEALTHY,
        health_check_pb2.UNHEALTHY,
        health_check_pb2.DRAINING,
    ]


def test_zones_weigh_as_much_as_their_healthy_instances() -> None:
    """So each instance gets the same share, and no zone the weight 0 with which gRPC would drop it."""
    found = (instance(1, zone="a"), instance(2, zone="a"), instance(3, Health.UNHEALTHY, zone="b"))

    zones = resources.load_assignment("order", found).endpoints

    assert [(each.locality.region, each.locality.zone, each.load_balancing_weight.value) for each in zones] == [
        ("dc1", "a", 2),
        ("dc1", "b", 1),
    ]


def test_two_instances_on_one_address_are_one_endpoint() -> None:
    """The registration of a crashed process outlives it; its successor on the port is what counts."""
    found = (instance(1, Health.UNHEALTHY, name="dead"), instance(1, name="successor", zone="b"))

    [zone] = resources.load_assignment("order", found).endpoints

    assert [(zone.locality.zone, each.health_status) for each in zone.lb_endpoints] == [("b", health_check_pb2.HEALTHY)]


def test_the_only_instance_is_never_ejected() -> None:
    """Outlier detection wants two instances, and leaves half of them."""
    detection = resources.cluster("order", None).outlier_detection

    assert detection.failure_percentage_minimum_hosts.value == 2
    assert detection.max_ejection_percent.value == 50


def test_the_edge_speaks_http2_to_services() -> None:
    """Envoy needs to be told; gRPC knows."""
    packed = resources.edge_cluster("order", None).typed_extension_protocol_options[resources.HTTP_OPTIONS]
    options = http_protocol_options_pb2.HttpProtocolOptions()

    assert packed.Unpack(options)
    assert options.explicit_http_config.HasField("http2_protocol_options")


def test_the_edge_never_sends_anything_to_a_critical_instance() -> None:
    """Envoy's panic routing is set to never."""
    settings = resources.edge_cluster("order", None).common_lb_config

    assert settings.HasField("healthy_panic_threshold")
    assert settings.healthy_panic_threshold.value == 0


def test_clusters_take_their_endpoints_from_the_same_stream() -> None:
    """EDS by ADS, under the name of the service."""
    built = resources.cluster("order", None)

    assert built.type == cluster_pb2.Cluster.EDS
    assert built.eds_cluster_config.eds_config.HasField("ads")


def test_equal_content_has_equal_versions_on_every_replica() -> None:
    """Versions come from content alone, whatever the order in which it was learned."""
    one = resources.snapshot(resources.lasting(REPEATABLE, None), World(1, {"order": (instance(1), instance(2))}))
    other = resources.snapshot(
        resources.lasting(dict(reversed(REPEATABLE.items())), None), World(7, {"order": (instance(2), instance(1))})
    )

    assert one == other


def test_a_change_of_instances_changes_only_that_service_s_endpoints() -> None:
    """Everything else keeps its version, so it is not sent again."""
    before, after = snapshot_of(order=(instance(1),)), snapshot_of(order=(instance(2),))

    changed = {
        (kind, name)
        for kind in ResourceType
        for name, each in after.services[kind].items()
        if each != before.services[kind][name]
    }

    assert changed == {(ResourceType.ENDPOINTS, "order")}
