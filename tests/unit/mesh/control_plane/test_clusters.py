"""How instances are treated, by default and by policy."""

from envoy.config.cluster.v3 import cluster_pb2
from envoy.extensions.upstreams.http.v3 import http_protocol_options_pb2

from mesh.control_plane.clusters import HTTP_OPTIONS, cluster, edge_cluster
from mesh.control_plane.policy import DEFAULTS
from tests.unit.mesh.control_plane.examples import policies


def test_the_only_instance_is_never_ejected() -> None:
    """Outlier detection wants two instances, and leaves half of them."""
    detection = cluster("order", "", DEFAULTS, None).outlier_detection

    assert detection.failure_percentage_minimum_hosts.value == 2
    assert detection.max_ejection_percent.value == 50


def test_a_policy_says_when_instances_are_ejected_and_how_many_calls_may_be_in_flight() -> None:
    """Both for gRPC and for the edge."""
    policy = policies(order={"outlierDetection": {"failurePercentage": 80}, "maxConcurrentRequests": 7}).of("order")

    for built in (cluster("order", "", policy, None), edge_cluster("order", policy, None)):
        assert built.outlier_detection.failure_percentage_threshold.value == 80
        assert built.circuit_breakers.thresholds[0].max_requests.value == 7


def test_the_edge_speaks_http2_to_services() -> None:
    """Envoy needs to be told; gRPC knows."""
    packed = edge_cluster("order", DEFAULTS, None).typed_extension_protocol_options[HTTP_OPTIONS]
    options = http_protocol_options_pb2.HttpProtocolOptions()

    assert packed.Unpack(options)
    assert options.explicit_http_config.HasField("http2_protocol_options")


def test_the_edge_never_sends_anything_to_a_critical_instance() -> None:
    """Envoy's panic routing is set to never."""
    settings = edge_cluster("order", DEFAULTS, None).common_lb_config

    assert settings.HasField("healthy_panic_threshold")
    assert settings.healthy_panic_threshold.value == 0


def test_clusters_take_their_endpoints_from_the_same_stream() -> None:
    """EDS by ADS, under the name of the cluster."""
    built = cluster("order", "2", DEFAULTS, None)

    assert built.name == "order/2"
    assert built.type == cluster_pb2.Cluster.EDS
    assert built.eds_cluster_config.eds_config.HasField("ads")
