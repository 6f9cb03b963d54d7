"""From services, their contracts and their instances to xDS resources: pure, and the same on every replica.

There is one set for gRPC's own xDS clients and one for the Envoy edge, which takes clusters and endpoints
only: its routes come from the descriptors, at the gateway. Neither sets a timeout: gRPC fires those of xDS
too early (grpc/grpc#40633), so deadlines are the stubs' business.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from envoy.config.cluster.v3 import circuit_breaker_pb2, cluster_pb2, outlier_detection_pb2
from envoy.config.core.v3 import address_pb2, base_pb2, config_source_pb2, health_check_pb2, protocol_pb2
from envoy.config.endpoint.v3 import endpoint_components_pb2, endpoint_pb2
from envoy.config.listener.v3 import api_listener_pb2, listener_pb2
from envoy.config.route.v3 import route_components_pb2, route_pb2
from envoy.extensions.filters.http.router.v3 import router_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2
from envoy.extensions.upstreams.http.v3 import http_protocol_options_pb2
from envoy.type.v3 import percent_pb2
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.wrappers_pb2 import UInt32Value

from mesh.control_plane import encryption
from mesh.control_plane.encryption import Identities
from mesh.control_plane.snapshot import Resource, ResourceType, Snapshot, View, resource
from mesh.control_plane.world import Health, Instance, World

RETRY_ON = "unavailable,cancelled"
"""What is tried again where the contract allows it: an instance that went away."""

RETRIES = 3
"""Tries after the first; gRPC never makes more than five in all."""

MAX_REQUESTS = 1024
"""Calls in flight to one service from one process; the next one fails at once."""

HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
"""The key under which Envoy looks for the options that make it speak HTTP/2 to a cluster."""

Repeatable = Mapping[str, Collection[str]]
"""The known services, each with the paths (`/package.Service/Method`) that may be retried."""


@dataclass(frozen=True, slots=True)
class Lasting:
    """What follows from the contracts alone, so that only endpoints are built when instances change."""

    services: View
    edge: View


def lasting(repeatable: Repeatable, identities: Identities | None) -> Lasting:
    """Build everything but endpoints for the known services. Without identities, connections are plaintext."""
    names = sorted(repeatable)
    services = {
        ResourceType.CLUSTER: _named(ResourceType.CLUSTER, {name: cluster(name, identities) for name in names}),
        ResourceType.LISTENER: _named(ResourceType.LISTENER, {name: listener(name) for name in names}),
        ResourceType.ROUTES: _named(ResourceType.ROUTES, {name: routes(name, repeatable[name]) for name in names}),
    }
    clusters = {name: edge_cluster(name, identities) for name in names}
    return Lasting(services, {ResourceType.CLUSTER: _named(ResourceType.CLUSTER, clusters)})


def snapshot(always: Lasting, world: World) -> Snapshot:
    """Add the endpoints. Every known service has its list, if an empty one, so that nobody waits for it."""
    lists = {
        name: load_assignment(name, world.services.get(name, ())) for name in always.services[ResourceType.CLUSTER]
    }
    endpoints = _named(ResourceType.ENDPOINTS, lists)
    return Snapshot(
        services={**always.services, ResourceType.ENDPOINTS: endpoints},
        edge={**always.edge, ResourceType.ENDPOINTS: endpoints},
    )


def listener(service: str) -> listener_pb2.Listener:
    """Build what `xds:///<service>` looks up first: it sends the client on to the routes of the same name."""
    rds = http_connection_manager_pb2.Rds(route_config_name=service, config_source=_this_stream())
    return _listener(service, http_connection_manager_pb2.HttpConnectionManager(rds=rds))


def unknown_listener(service: str) -> listener_pb2.Listener:
    """Build one that leads nowhere: each call fails at once, saying that no virtual host has the name."""
    nowhere = route_pb2.RouteConfiguration(name=service)
    return _listener(service, http_connection_manager_pb2.HttpConnectionManager(route_config=nowhere))


def _listener(service: str, connection: http_connection_manager_pb2.HttpConnectionManager) -> listener_pb2.Listener:
    connection.http_filters.add(name="router").typed_config.CopyFrom(_packed(router_pb2.Router()))
    return listener_pb2.Listener(
        name=service, api_listener=api_listener_pb2.ApiListener(api_listener=_packed(connection))
    )


def routes(service: str, repeatable: Iterable[str]) -> route_pb2.RouteConfiguration:
    """Build the routes to a service: the methods named may be retried; all else is never repeated."""
    host = route_components_pb2.VirtualHost(name=service, domains=["*"])
    for path in sorted(repeatable):
        route = host.routes.add()
        route.match.path = path
        route.route.cluster = service
        route.route.retry_policy.CopyFrom(_retry_policy())
    rest = host.routes.add()
    rest.match.prefix = ""
    rest.route.cluster = service
    return route_pb2.RouteConfiguration(name=service, virtual_hosts=[host])


def _retry_policy() -> route_components_pb2.RetryPolicy:
    back_off = route_components_pb2.RetryPolicy.RetryBackOff(
        base_interval=_milliseconds(10), max_interval=_milliseconds(100)
    )
    return route_components_pb2.RetryPolicy(
        retry_on=RETRY_ON, num_retries=UInt32Value(value=RETRIES), retry_back_off=back_off
    )


def cluster(service: str, identities: Identities | None) -> cluster_pb2.Cluster:
    """Build the cluster for gRPC clients, which know plain round robin (least request alone they refuse)."""
    socket = encryption.for_grpc(service, identities) if identities else None
    return _cluster(service, socket)


def _cluster(service: str, socket: base_pb2.TransportSocket | None) -> cluster_pb2.Cluster:
    return cluster_pb2.Cluster(
        name=service,
        type=cluster_pb2.Cluster.EDS,
        eds_cluster_config=cluster_pb2.Cluster.EdsClusterConfig(eds_config=_this_stream()),
        lb_policy=cluster_pb2.Cluster.ROUND_ROBIN,
        circuit_breakers=_circuit_breakers(),
        outlier_detection=_outlier_detection(),
        transport_socket=socket,
    )


def edge_cluster(service: str, identities: Identities | None) -> cluster_pb2.Cluster:
    """Build the cluster for Envoy: HTTP/2, least requests, and nothing to instances that are critical.

    Envoy's panic routing, which uses sick instances when more than half are, is off, as gRPC has none.
    """
    built = _cluster(service, encryption.for_envoy(service, identities) if identities else None)
    built.lb_policy = cluster_pb2.Cluster.LEAST_REQUEST
    built.connect_timeout.CopyFrom(_milliseconds(1000))
    built.common_lb_config.healthy_panic_threshold.CopyFrom(percent_pb2.Percent(value=0))
    http2 = http_protocol_options_pb2.HttpProtocolOptions.ExplicitHttpConfig(
        http2_protocol_options=protocol_pb2.Http2ProtocolOptions()
    )
    options = http_protocol_options_pb2.HttpProtocolOptions(explicit_http_config=http2)
    built.typed_extension_protocol_options[HTTP_OPTIONS].CopyFrom(_packed(options))
    return built


def _circuit_breakers() -> circuit_breaker_pb2.CircuitBreakers:
    limit = UInt32Value(value=MAX_REQUESTS)
    thresholds = circuit_breaker_pb2.CircuitBreakers.Thresholds(max_requests=limit, max_pending_requests=limit)
    return circuit_breaker_pb2.CircuitBreakers(thresholds=[thresholds])


def _outlier_detection() -> outlier_detection_pb2.OutlierDetection:
    """Eject an instance for which half of its calls fail, for 3 s at first, but never more than half of all.

    At least two instances are needed: gRPC counts every status but OK as a failure, so buyers who are rightly
    told "sold out" would otherwise take the only instance away from everybody. For the same reason Envoy does
    not count consecutive errors.
    """
    return outlier_detection_pb2.OutlierDetection(
        interval=_milliseconds(1000),
        base_ejection_time=_milliseconds(3000),
        max_ejection_percent=UInt32Value(value=50),
        enforcing_success_rate=UInt32Value(value=0),
        enforcing_consecutive_5xx=UInt32Value(value=0),
        enforcing_failure_percentage=UInt32Value(value=100),
        failure_percentage_threshold=UInt32Value(value=50),
        failure_percentage_minimum_hosts=UInt32Value(value=2),
        failure_percentage_request_volume=UInt32Value(value=10),
    )


def load_assignment(service: str, instances: Iterable[Instance]) -> endpoint_pb2.ClusterLoadAssignment:
    """Build the list of a service's endpoints, by zone, each zone weighted by what it can carry.

    Sick and draining instances stay in the list with their status: clients send them nothing new, and
    operators see them. Of two that claim one address, as after a crash, the healthier counts: gRPC refuses a
    list with duplicates.
    """
    zones: dict[tuple[str, str], list[Instance]] = {}
    for instance in _one_for_each_address(instances):
        zones.setdefault((instance.region, instance.zone), []).append(instance)
    assignment = endpoint_pb2.ClusterLoadAssignment(cluster_name=service)
    for (region, zone), found in sorted(zones.items()):
        healthy = sum(each.health is Health.HEALTHY for each in found)
        assignment.endpoints.add(
            locality=base_pb2.Locality(region=region, zone=zone),
            load_balancing_weight=UInt32Value(value=max(1, healthy)),
            lb_endpoints=[_endpoint(each) for each in found],
        )
    return assignment


def _one_for_each_address(instances: Iterable[Instance]) -> list[Instance]:
    found: dict[tuple[str, int], Instance] = {}
    for each in instances:
        address = (each.host, each.port)
        if address not in found or each.health is Health.HEALTHY:
            found[address] = each
    return [found[address] for address in sorted(found)]


def _endpoint(instance: Instance) -> endpoint_components_pb2.LbEndpoint:
    socket = address_pb2.SocketAddress(address=instance.host, port_value=instance.port)
    return endpoint_components_pb2.LbEndpoint(
        endpoint=endpoint_components_pb2.Endpoint(address=address_pb2.Address(socket_address=socket)),
        health_status=_HEALTH_STATUS.get(instance.health, health_check_pb2.UNHEALTHY),
    )


_HEALTH_STATUS = {Health.HEALTHY: health_check_pb2.HEALTHY, Health.DRAINING: health_check_pb2.DRAINING}


def _this_stream() -> config_source_pb2.ConfigSource:
    return config_source_pb2.ConfigSource(
        ads=config_source_pb2.AggregatedConfigSource(), resource_api_version=config_source_pb2.V3
    )


def _named(kind: ResourceType, messages: Mapping[str, Message]) -> dict[str, Resource]:
    return {name: resource(kind, name, message) for name, message in messages.items()}


def _packed(message: Message) -> AnyMessage:
    wrapped = AnyMessage()
    wrapped.Pack(message, deterministic=True)
    return wrapped


def _milliseconds(amount: int) -> Duration:
    duration = Duration()
    duration.FromMilliseconds(amount)
    return duration
