"""How instances are treated: balancing, ejection, limits and mutual TLS, for gRPC and for the edge's Envoy."""

from envoy.config.cluster.v3 import circuit_breaker_pb2, cluster_pb2, outlier_detection_pb2
from envoy.config.core.v3 import base_pb2, protocol_pb2
from envoy.extensions.upstreams.http.v3 import http_protocol_options_pb2
from envoy.type.v3 import percent_pb2
from google.protobuf.duration_pb2 import Duration

from mesh.control_plane import encryption
from mesh.control_plane.encryption import Identities
from mesh.control_plane.xds import cluster_of, number, packed, this_stream
from ordermesh.mesh.v1.traffic_policy_pb2 import OutlierDetection, TrafficPolicy

HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
"""The key under which Envoy looks for the options that make it speak HTTP/2 to a cluster."""


def cluster(service: str, version: str, policy: TrafficPolicy, identities: Identities | None) -> cluster_pb2.Cluster:
    """Build a cluster for gRPC clients, which know plain round robin (least request alone they refuse)."""
    socket = encryption.for_grpc(service, identities) if identities else None
    return _cluster(cluster_of(service, version), policy, socket)


def edge_cluster(service: str, policy: TrafficPolicy, identities: Identities | None) -> cluster_pb2.Cluster:
    """Build the cluster for Envoy: HTTP/2, least requests, and nothing to instances that are critical.

    Localities weigh what their endpoint list says, as gRPC has it anyway. Envoy's panic routing, which uses sick
    instances when more than half are, is off, as gRPC has none.
    """
    built = _cluster(service, policy, encryption.for_envoy(service, identities) if identities else None)
    built.lb_policy = cluster_pb2.Cluster.LEAST_REQUEST
    built.connect_timeout.CopyFrom(Duration(seconds=1))
    # Who balances by least requests prefers an instance that died: it has none. Two calls in a row that it broke off or
    # refused to connect for eject it, before the last try of either.
    # What an instance answers is counted apart, so rightful errors do not add up to that.
    built.outlier_detection.split_external_local_origin_errors = True
    built.outlier_detection.consecutive_local_origin_failure.value = 2
    built.outlier_detection.enforcing_local_origin_success_rate.value = 0
    built.common_lb_config.locality_weighted_lb_config.SetInParent()
    built.common_lb_config.healthy_panic_threshold.CopyFrom(percent_pb2.Percent(value=0))
    http2 = http_protocol_options_pb2.HttpProtocolOptions.ExplicitHttpConfig(
        http2_protocol_options=protocol_pb2.Http2ProtocolOptions(connection_keepalive=_keepalive())
    )
    options = http_protocol_options_pb2.HttpProtocolOptions(explicit_http_config=http2)
    built.typed_extension_protocol_options[HTTP_OPTIONS].CopyFrom(packed(options))
    return built


def _keepalive() -> protocol_pb2.KeepaliveSettings:
    """Close connections to an instance that hangs, as our gRPC clients do (mesh.client): what waits goes elsewhere."""
    return protocol_pb2.KeepaliveSettings(interval=Duration(seconds=1), timeout=Duration(seconds=1, nanos=500_000_000))


def _cluster(name: str, policy: TrafficPolicy, socket: base_pb2.TransportSocket | None) -> cluster_pb2.Cluster:
    return cluster_pb2.Cluster(
        name=name,
        type=cluster_pb2.Cluster.EDS,
        eds_cluster_config=cluster_pb2.Cluster.EdsClusterConfig(eds_config=this_stream()),
        lb_policy=cluster_pb2.Cluster.ROUND_ROBIN,
        circuit_breakers=_circuit_breakers(policy.max_concurrent_requests),
        outlier_detection=_outlier_detection(policy.outlier_detection),
        transport_socket=socket,
    )


def _circuit_breakers(most: int) -> circuit_breaker_pb2.CircuitBreakers:
    limit = number(most)
    thresholds = circuit_breaker_pb2.CircuitBreakers.Thresholds(max_requests=limit, max_pending_requests=limit)
    return circuit_breaker_pb2.CircuitBreakers(thresholds=[thresholds])


def _outlier_detection(wanted: OutlierDetection) -> outlier_detection_pb2.OutlierDetection:
    """Eject by the share of failed calls alone.

    At least two instances are needed: gRPC counts every status but OK as a failure, so buyers who are rightly
    told "sold out" would otherwise take the only instance away from everybody. For the same reason Envoy does
    not count consecutive errors.
    """
    return outlier_detection_pb2.OutlierDetection(
        interval=wanted.interval,
        base_ejection_time=wanted.base_ejection_time,
        max_ejection_percent=number(wanted.max_ejection_percent),
        enforcing_success_rate=number(0),
        enforcing_consecutive_5xx=number(0),
        enforcing_failure_percentage=number(100),
        failure_percentage_threshold=number(wanted.failure_percentage),
        failure_percentage_minimum_hosts=number(2),
        failure_percentage_request_volume=number(wanted.request_volume),
    )
