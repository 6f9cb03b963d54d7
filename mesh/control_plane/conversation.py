"""One client's ADS stream as the state-of-the-world protocol sees it, without any input or output.

It keeps what the client asked for and what it was sent, and says which responses bring it to a snapshot.
"""

import enum
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from envoy.config.core.v3 import base_pb2
from envoy.service.discovery.v3 import discovery_pb2

from mesh.control_plane.routing import unknown_listener
from mesh.control_plane.snapshot import Resource, ResourceType, Snapshot, collection_version, resource

WILDCARD = "*"


class Meaning(enum.Enum):
    """What a request turned out to be."""

    SUBSCRIBED = "subscribed"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    STALE = "stale"
    UNKNOWN = "unknown"


@dataclass(slots=True)
class Subscription:
    """What a client wants of one type, and which versions it was sent on this stream.

    A newcomer says that it knows nothing of the type yet, from no control plane.
    """

    wildcard: bool
    names: frozenset[str]
    newcomer: bool = False
    nonce: str = ""
    sent: dict[str, str] = field(default_factory=dict)


class Conversation:
    """The state of one stream. Requests go in, and the responses still owed come out."""

    def __init__(self, identifier: str) -> None:
        """Begin with nothing subscribed; `identifier` names this control plane in the responses."""
        self._control_plane = base_pb2.ControlPlane(identifier=identifier)
        self._subscriptions: dict[ResourceType, Subscription] = {}
        self._responses = 0
        self.refusals: dict[str, str] = {}
        """What the client refuses of what it was told last: its reason by type URL."""
        self.node_id = ""
        self.node_cluster = ""
        self._zone = ""

    def receive(self, request: discovery_pb2.DiscoveryRequest) -> Meaning:
        """Take a DiscoveryRequest in. A refused version is not sent again; the next one will be."""
        if request.node.id:  # Clients send their node in the first request only.
            self.node_id, self.node_cluster = request.node.id, request.node.cluster
            self._zone = request.node.locality.zone
        try:
            kind = ResourceType(request.type_url)
        except ValueError:
            return Meaning.UNKNOWN
        known = self._subscriptions.get(kind)
        if known is None:
            self._subscriptions[kind] = _first_subscription(kind, request)
            return Meaning.SUBSCRIBED
        if request.response_nonce != known.nonce:
            # It crossed a newer response, whose acknowledgement will repeat the names.
            return Meaning.REFUSED if request.HasField("error_detail") else Meaning.STALE
        changed = _resubscribe(known, request.resource_names)
        if request.HasField("error_detail"):
            self.refusals[request.type_url] = request.error_detail.message
            return Meaning.REFUSED
        self.refusals.pop(request.type_url, None)
        return Meaning.SUBSCRIBED if changed else Meaning.ACCEPTED

    def responses(self, snapshot: Snapshot) -> Iterator[discovery_pb2.DiscoveryResponse]:
        """Yield the DiscoveryResponses that the client has not had, in the order of `ResourceType`.

        Clusters that changed bring all their endpoints again, for which Envoy waits before it uses them.
        """
        view = snapshot.view(self.node_cluster, self._zone)
        for kind in ResourceType:
            subscription = self._subscriptions.get(kind)
            if subscription is None:
                continue
            wanted = _wanted(subscription, view.get(kind, {}))
            if kind is ResourceType.LISTENER and subscription.newcomer:
                wanted |= _refusals(subscription.names - wanted.keys(), subscription.sent)
            due = _due(kind, subscription, wanted)
            subscription.sent = {name: each.version for name, each in wanted.items()}
            if not due:
                continue
            if kind is ResourceType.CLUSTER and ResourceType.ENDPOINTS in self._subscriptions:
                self._subscriptions[ResourceType.ENDPOINTS].sent.clear()
            yield self._response(kind, subscription, due, collection_version(view[kind].values()))

    def _response(
        self, kind: ResourceType, subscription: Subscription, due: list[Resource], version: str
    ) -> discovery_pb2.DiscoveryResponse:
        self._responses += 1
        subscription.nonce = str(self._responses)
        return discovery_pb2.DiscoveryResponse(
            type_url=kind.value,
            version_info=version,
            nonce=subscription.nonce,
            resources=[each.body for each in due],
            control_plane=self._control_plane,
        )


def _first_subscription(kind: ResourceType, request: discovery_pb2.DiscoveryRequest) -> Subscription:
    """Read a first request, in which no names at all mean everything, for the types that know a wildcard."""
    names = frozenset(request.resource_names)
    wildcard = kind.whole and (not names or WILDCARD in names)
    return Subscription(wildcard, names, newcomer=not request.version_info)


def _refusals(unknown: Iterable[str], sent: Mapping[str, str]) -> dict[str, Resource]:
    """Answer for services that no contract knows, of which gRPC would otherwise wait 15 s to hear.

    This never takes back a listener that was sent. Nor is it for clients that come from another replica, which
    may be newer and know more contracts: what they learned there stays good when nothing is said.
    """
    refusals = (resource(ResourceType.LISTENER, name, unknown_listener(name)) for name in unknown if name != WILDCARD)
    return {each.name: each for each in refusals if sent.get(each.name, each.version) == each.version}


def _resubscribe(known: Subscription, names: Collection[str]) -> bool:
    """Note the names of a later request. Once names have been given, none at all mean nothing."""
    asked = frozenset(names)
    if asked == known.names:
        return False
    known.wildcard = WILDCARD in asked
    known.names = asked
    if not known.wildcard:
        known.sent = {name: version for name, version in known.sent.items() if name in asked}
    return True


def _wanted(subscription: Subscription, available: Mapping[str, Resource]) -> dict[str, Resource]:
    if subscription.wildcard:
        return dict(available)
    return {name: available[name] for name in sorted(subscription.names) if name in available}


def _due(kind: ResourceType, subscription: Subscription, wanted: dict[str, Resource]) -> list[Resource]:
    """Choose what to send: what changed, or everything where a response must be whole; never emptiness."""
    changed = [each for name, each in wanted.items() if subscription.sent.get(name) != each.version]
    gone = any(name not in wanted for name in subscription.sent)
    return list(wanted.values()) if kind.whole and (changed or gone) else changed
