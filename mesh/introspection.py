"""What a process tells an operator about itself: who it is, who may call it and did, what the control plane told it."""

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any

from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.timestamp_pb2 import Timestamp
from grpc._cython import cygrpc  # type: ignore[attr-defined] # it is compiled, and has no types

from mesh import context, errors
from mesh.certificates import Certificate
from mesh.headers import OPERATOR
from mesh.health import Health
from mesh.identity import Identity
from mesh.intentions import Intentions, Permission, Rule
from mesh.peers import CertifiedPeers, Visits
from mesh.settings import MeshSettings
from ordermesh.mesh.v1 import introspection_service_pb2 as pb
from ordermesh.mesh.v1 import introspection_service_pb2_grpc

SERVICE = "ordermesh.mesh.v1.IntrospectionService"
XDS_STATUS = "type.googleapis.com/envoy.service.status.v3.ClientStatusResponse"


class Introspection(introspection_service_pb2_grpc.IntrospectionServiceServicer):
    """The servicer. Intentions decide who may ask; that only an operator may, whatever they say, is decided here."""

    def __init__(
        self, settings: MeshSettings, identity: Identity, health: Health, intentions: Intentions, peers: CertifiedPeers
    ) -> None:
        """Tell of these."""
        self._settings = settings
        self._identity = identity
        self._health = health
        self._intentions = intentions
        self._peers = peers
        self._started = timestamp(dt.datetime.now(dt.UTC))

    async def GetProcess(self, _request: pb.GetProcessRequest, _context: Any) -> pb.Process:  # noqa: ANN401, N802 - gRPC's own
        """Tell an operator. Raises PermissionDenied for anybody else."""
        if context.current().caller.peer != OPERATOR:
            raise errors.PermissionDenied("only operators may look inside a process", reason="OPERATORS_ONLY")
        own, certificate = self._settings, self._identity.files.read()
        return pb.Process(
            service=own.service,
            instance=own.instance,
            version=own.version,
            zone=own.zone,
            start_time=self._started,
            identity=_identity(certificate) if certificate else None,
            dependencies=[pb.Dependency(name=name, complaint=said) for name, said in self._health.complaints.items()],
            intentions=_intentions(self._intentions.rules),
            peers=_peers(self._peers.visits),
            xds=_xds(),
            control_plane=self._control_plane(),
        )

    def _control_plane(self) -> pb.ControlPlane | None:
        """Have nothing to add; control planes have."""
        return None


def timestamp(moment: dt.datetime) -> Timestamp:
    """Write a moment as protobuf does."""
    written = Timestamp()
    written.FromDatetime(moment)
    return written


def _identity(shown: Certificate) -> pb.Identity:
    return pb.Identity(
        spiffe_id=shown.spiffe_id,
        serial=shown.serial,
        begin_time=timestamp(shown.begin),
        end_time=timestamp(shown.end),
        renew_time=timestamp(shown.renew_at),
    )


def _intentions(rules: Mapping[str, Rule]) -> Iterable[pb.Intention]:
    return [
        pb.Intention(source=source, allowed=rule.allowed, permissions=map(_permission, rule.permissions))
        for source, rule in sorted(rules.items())
    ]


def _permission(each: Permission) -> pb.Permission:
    return pb.Permission(allowed=each.allowed, path=each.path, prefix=each.prefix, for_users=each.with_claims)


def _peers(visits: Mapping[str, Visits]) -> Iterable[pb.Peer]:
    return [
        pb.Peer(
            service=service,
            admitted=each.admitted,
            refused=each.refused,
            last_time=timestamp(dt.datetime.fromtimestamp(each.last_time, dt.UTC)),
            last_method=each.last_method,
        )
        for service, each in sorted(visits.items())
    ]


def _xds() -> AnyMessage | None:
    """Ask C-core, as grpcio-csds does; its own servicer would bring Envoy's messages into every process."""
    status: bytes = cygrpc.dump_xds_configs()
    return AnyMessage(type_url=XDS_STATUS, value=status) if status else None
