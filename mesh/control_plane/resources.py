"""From services, their contracts, policies and instances to xDS resources: the same on every replica.

There is one set for gRPC's own xDS clients and one for the Envoy edge, which takes clusters and endpoints only: its
routes come from the descriptors, at the gateway. Callers of different zones differ in their endpoints.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from google.protobuf.message import Message

from mesh.control_plane.clusters import cluster, edge_cluster
from mesh.control_plane.encryption import Identities
from mesh.control_plane.endpoints import load_assignment, one_for_each_address
from mesh.control_plane.localities import Shares
from mesh.control_plane.policy import Methods, Policies
from mesh.control_plane.routing import listener, routes, shares
from mesh.control_plane.snapshot import ANYWHERE, Resource, ResourceType, Snapshot, View, resource
from mesh.control_plane.world import Instance, World
from mesh.control_plane.xds import cluster_of
from ordermesh.mesh.v1.traffic_policy_pb2 import TrafficPolicy

Zones = tuple[str, ...]
Named = Mapping[str, Resource]


@dataclass(frozen=True, slots=True)
class Causes:
    """All that the resources of a service follow from, besides its contract."""

    instances: tuple[Instance, ...]
    policy: TrafficPolicy
    zones: Zones


@dataclass(frozen=True, slots=True)
class Described:
    """The resources of one service, by the zone of those who are told."""

    services: Mapping[str, View]
    edge: Mapping[str, View]


class Resources:
    """Builds snapshots. A service of which nothing changed is not built again: a thousand instances take their time."""

    def __init__(self, methods: Methods, identities: Identities | None) -> None:
        """Describe the known services. Without identities, connections are plaintext."""
        self._methods = methods
        self._identities = identities
        self._kept: dict[str, tuple[Causes, Described]] = {}

    def snapshot(self, world: World, policies: Policies) -> Snapshot:
        """Describe every known service, also one without instances, so that nobody waits for it."""
        names = sorted(self._methods.keys() | world.services.keys())
        found = {name: one_for_each_address(world.services.get(name, ())) for name in names}
        zones = tuple(sorted({ANYWHERE, *(each.zone for instances in found.values() for each in instances)}))
        described = [
            self._described(name, Causes(instances, policies.of(name), zones)) for name, instances in found.items()
        ]
        return Snapshot(
            services={zone: _joined(each.services[zone] for each in described) for zone in zones},
            edge={zone: _joined(each.edge[zone] for each in described) for zone in zones},
        )

    def _described(self, service: str, causes: Causes) -> Described:
        kept = self._kept.get(service)
        if kept is None or kept[0] != causes:
            kept = self._kept[service] = (causes, self._describe(service, causes))
        return kept[1]

    def _describe(self, service: str, causes: Causes) -> Described:
        policy = causes.policy
        split = shares(policy.canary)
        versions = {cluster_of(service, version): version for version in split}
        # A caller that picks a version by a weighted route turns to the others only when that one is gone.
        first = {name: {each: 100 * (each == version) for each in split} for name, version in versions.items()}
        clusters = {name: cluster(service, version, policy, self._identities) for name, version in versions.items()}
        lasting: View = {
            ResourceType.CLUSTER: _named(ResourceType.CLUSTER, clusters),
            ResourceType.LISTENER: _named(ResourceType.LISTENER, {service: listener(service, policy)}),
            ResourceType.ROUTES: _named(
                ResourceType.ROUTES, {service: routes(service, self._methods_of(service, causes.instances), policy)}
            ),
        }
        edge = _named(ResourceType.CLUSTER, {service: edge_cluster(service, policy, self._identities)})
        by_zone = _endpoints(first, causes)
        edge_by_zone = _endpoints({service: split}, causes) if len(split) > 1 else by_zone
        return Described(
            services={zone: {**lasting, ResourceType.ENDPOINTS: by_zone[zone]} for zone in causes.zones},
            edge={
                zone: {ResourceType.CLUSTER: edge, ResourceType.ENDPOINTS: edge_by_zone[zone]} for zone in causes.zones
            },
        )

    def _methods_of(self, service: str, instances: Iterable[Instance]) -> Mapping[str, bool]:
        """Go by the contract; without one, by what all instances say that say something of a method."""
        told: dict[str, bool] = {}
        for path, repeatable in (method for each in instances for method in each.methods):
            told[path] = told.get(path, True) and repeatable
        return self._methods.get(service, told)


def _endpoints(clusters: Mapping[str, Shares], causes: Causes) -> dict[str, Named]:
    """Build the endpoints of some clusters for callers of each zone, once for all of them where zones are alike."""

    def built(zone: str) -> Named:
        routing = causes.policy.zones
        lists = {
            name: load_assignment(name, causes.instances, split, zone, routing) for name, split in clusters.items()
        }
        return _named(ResourceType.ENDPOINTS, lists)

    if causes.policy.zones.prefer_own:
        return {zone: built(zone) for zone in causes.zones}
    return dict.fromkeys(causes.zones, built(ANYWHERE))


def _joined(views: Iterable[View]) -> View:
    joined: dict[ResourceType, dict[str, Resource]] = {}
    for view in views:
        for kind, named in view.items():
            joined.setdefault(kind, {}).update(named)
    return joined


def _named(kind: ResourceType, messages: Mapping[str, Message]) -> Named:
    return {name: resource(kind, name, message) for name, message in messages.items()}
