"""What an xDS client believes about the services it calls, from its own account (CSDS)."""

from collections.abc import Iterator
from dataclasses import dataclass

from envoy.admin.v3 import config_dump_shared_pb2
from envoy.config.core.v3 import health_check_pb2
from envoy.config.endpoint.v3 import endpoint_pb2
from envoy.service.status.v3 import csds_pb2

from ordermesh.mesh.v1.introspection_service_pb2 import Process

ENDPOINTS = "ClusterLoadAssignment"
WELL = (health_check_pb2.HEALTHY, health_check_pb2.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One address of a service, in its zone; `health` in Envoy's words."""

    address: str
    zone: str
    health: str


@dataclass(frozen=True, slots=True)
class Belief:
    """A resource that a client asked for: its kind and name, its state and version, and why it was refused if it was.

    `endpoints` only where that is the kind.
    """

    kind: str
    name: str
    state: str
    version: str
    refusal: str
    endpoints: tuple[Endpoint, ...] = ()

    @property
    def service(self) -> str:
        """The service it is about; the name may say which version of it, too."""
        return self.name.partition("/")[0]

    @property
    def healthy(self) -> frozenset[str]:
        """The addresses that calls are sent to."""
        return frozenset(each.address for each in self.endpoints if each.health == "HEALTHY")


def of(process: Process) -> list[Belief]:
    """Read a process's account; nothing from one that has called nobody."""
    status = csds_pb2.ClientStatusResponse()
    if not process.xds.Unpack(status):
        return []
    found = [_belief(each) for client in status.config for each in client.generic_xds_configs]
    return sorted(found, key=lambda belief: (belief.kind, belief.name))


def _belief(dumped: csds_pb2.ClientConfig.GenericXdsConfig) -> Belief:
    kind = dumped.type_url.rpartition(".")[2]
    return Belief(
        kind=kind,
        name=dumped.name,
        state=config_dump_shared_pb2.ClientResourceStatus.Name(dumped.client_status),
        version=dumped.version_info,
        refusal=dumped.error_state.details,
        endpoints=tuple(_endpoints(dumped)) if kind == ENDPOINTS else (),
    )


def _endpoints(dumped: csds_pb2.ClientConfig.GenericXdsConfig) -> Iterator[Endpoint]:
    assignment = endpoint_pb2.ClusterLoadAssignment()
    dumped.xds_config.Unpack(assignment)
    for locality in assignment.endpoints:
        for each in locality.lb_endpoints:
            socket = each.endpoint.address.socket_address
            health = "HEALTHY" if each.health_status in WELL else health_check_pb2.HealthStatus.Name(each.health_status)
            yield Endpoint(f"{socket.address}:{socket.port_value}", locality.locality.zone, health)
