"""What a control plane tells operators beyond what every process does: who listens to it, and what they refuse."""

from typing import Self

from mesh.control_plane.ads import AggregatedDiscovery
from mesh.control_plane.publication import Publisher
from mesh.introspection import Introspection
from ordermesh.mesh.v1 import introspection_service_pb2 as pb


class ControlPlaneIntrospection(Introspection):
    """The servicer of a control plane."""

    def of(self, discovery: AggregatedDiscovery, publisher: Publisher) -> Self:
        """Tell of these, too."""
        self._discovery = discovery
        self._publisher = publisher
        return self

    def _control_plane(self) -> pb.ControlPlane:
        return pb.ControlPlane(held_services=self._publisher.held, subscribers=self._discovery.subscribers)
