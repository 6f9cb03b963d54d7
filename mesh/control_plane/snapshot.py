"""A snapshot: everything that clients may be told at one moment, in versions made from the content.

Equal content has equal versions, so replicas agree on them without talking, and nothing is sent twice.
"""

import enum
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import Message

from mesh.headers import EDGE


class ResourceType(enum.Enum):
    """The types served, in the order that makes before it breaks: what is named before who names it."""

    CLUSTER = "type.googleapis.com/envoy.config.cluster.v3.Cluster"
    ENDPOINTS = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment"
    LISTENER = "type.googleapis.com/envoy.config.listener.v3.Listener"
    ROUTES = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration"

    @property
    def whole(self) -> bool:
        """Whether a response holds all that is subscribed, so that what it lacks counts as deleted."""
        return self in (ResourceType.CLUSTER, ResourceType.LISTENER)


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource as it travels."""

    name: str
    version: str
    body: AnyMessage


View = Mapping[ResourceType, Mapping[str, Resource]]
"""What one kind of client may see, by type and name."""


ANYWHERE = ""
"""The zone of whoever names none, or one without an instance of anything."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What each kind of client may see at one moment, by its zone; ANYWHERE is always among them."""

    services: Mapping[str, View]
    edge: Mapping[str, View]

    def view(self, node_cluster: str, zone: str = ANYWHERE) -> View:
        """Return what a client of this `node.cluster` and zone may see: the edge, or else a gRPC library."""
        views = self.edge if node_cluster == EDGE else self.services
        return views.get(zone, views[ANYWHERE])


def resource(kind: ResourceType, name: str, message: Message) -> Resource:
    """Pack a message, with a version that depends on nothing but its content."""
    value = message.SerializeToString(deterministic=True)
    return Resource(name, digest([value]), AnyMessage(type_url=kind.value, value=value))


def collection_version(resources: Iterable[Resource]) -> str:
    """Return the version of a set of resources."""
    return digest(f"{each.name}={each.version};".encode() for each in sorted(resources, key=lambda each: each.name))


def digest(parts: Iterable[bytes]) -> str:
    """Hash content into 16 hexadecimal characters, plenty to tell versions apart."""
    return hashlib.blake2b(b"".join(parts), digest_size=8).hexdigest()
