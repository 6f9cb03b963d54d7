"""The list of a service's instances, as one kind of caller in one zone is told it."""

from collections.abc import Iterable

from envoy.config.core.v3 import address_pb2, base_pb2, health_check_pb2
from envoy.config.endpoint.v3 import endpoint_components_pb2, endpoint_pb2

from mesh.control_plane.localities import Shares, spread
from mesh.control_plane.world import Health, Instance
from mesh.control_plane.xds import number
from ordermesh.mesh.v1.traffic_policy_pb2 import ZoneRouting

_HEALTH_STATUS = {Health.HEALTHY: health_check_pb2.HEALTHY, Health.DRAINING: health_check_pb2.DRAINING}


def load_assignment(
    cluster: str, instances: Iterable[Instance], shares: Shares, caller_zone: str, routing: ZoneRouting
) -> endpoint_pb2.ClusterLoadAssignment:
    """Build the endpoints of a cluster, by version and zone.

    Sick and draining instances stay in the list with their status: clients send them nothing new, and
    operators see them.
    """
    assignment = endpoint_pb2.ClusterLoadAssignment(cluster_name=cluster)
    for placed in spread(instances, shares, caller_zone, routing):
        found = placed.locality
        assignment.endpoints.add(
            locality=base_pb2.Locality(region=found.region, zone=found.zone, sub_zone=found.version),
            load_balancing_weight=number(placed.weight),
            priority=placed.priority,
            lb_endpoints=[_endpoint(each) for each in found.instances],
        )
    return assignment


def one_for_each_address(instances: Iterable[Instance]) -> tuple[Instance, ...]:
    """Of two that claim one address, as after a crash, keep the healthier: gRPC refuses a list with duplicates."""
    found: dict[tuple[str, int], Instance] = {}
    for each in instances:
        address = (each.host, each.port)
        if address not in found or each.health is Health.HEALTHY:
            found[address] = each
    return tuple(found[address] for address in sorted(found))


def _endpoint(instance: Instance) -> endpoint_components_pb2.LbEndpoint:
    socket = address_pb2.SocketAddress(address=instance.host, port_value=instance.port)
    return endpoint_components_pb2.LbEndpoint(
        endpoint=endpoint_components_pb2.Endpoint(address=address_pb2.Address(socket_address=socket)),
        health_status=_HEALTH_STATUS.get(instance.health, health_check_pb2.UNHEALTHY),
    )
