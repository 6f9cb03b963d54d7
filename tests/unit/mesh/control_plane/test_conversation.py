"""The state-of-the-world protocol, request by request."""

from collections.abc import Iterable

from envoy.service.discovery.v3 import discovery_pb2

from mesh.control_plane.conversation import Conversation, Meaning
from mesh.control_plane.policy import Policies
from mesh.control_plane.resources import Resources
from mesh.control_plane.snapshot import ResourceType, Snapshot
from mesh.control_plane.world import World
from tests.unit.mesh.control_plane.examples import instance, snapshot_of

CDS, EDS, LDS, RDS = ResourceType.CLUSTER, ResourceType.ENDPOINTS, ResourceType.LISTENER, ResourceType.ROUTES


def request(
    kind: ResourceType, *names: str, nonce: str = "", error: str = "", cluster: str = "order"
) -> discovery_pb2.DiscoveryRequest:
    """Make a request for resources by name; a nonce answers a response, an error refuses it."""
    made = discovery_pb2.DiscoveryRequest(type_url=kind.value, resource_names=names, response_nonce=nonce)
    made.node.id, made.node.cluster = f"{cluster}-1", cluster
    if error:
        made.error_detail.message = error
    return made


def names(response: discovery_pb2.DiscoveryResponse) -> list[str]:
    """Tell which resources a response holds, by the names inside their bytes."""
    known = ("order", "product")
    return [name for each in response.resources for name in known if name.encode() in each.value]


def told(conversation: Conversation, now: Snapshot) -> list[tuple[ResourceType, list[str]]]:
    """Tell what the conversation sends for a snapshot."""
    return [(ResourceType(each.type_url), names(each)) for each in conversation.responses(now)]


def talking(*requests: discovery_pb2.DiscoveryRequest) -> Conversation:
    """Begin a conversation with these requests."""
    conversation = Conversation("control-plane-1")
    for each in requests:
        conversation.receive(each)
    return conversation


def without_clusters(kept: Iterable[str]) -> Snapshot:
    """Make a snapshot that knows only the services kept."""
    return Resources({name: {} for name in kept}, None).snapshot(World(1, {}), Policies())


def test_a_subscription_is_answered_with_what_it_names() -> None:
    """A gRPC client asks by name and gets no more than that."""
    assert told(talking(request(LDS, "order")), snapshot_of()) == [(LDS, ["order"])]


def test_the_edge_asks_for_all_clusters_at_once() -> None:
    """A first request without names is the wildcard."""
    assert told(talking(request(CDS, cluster="edge")), snapshot_of()) == [(CDS, ["order", "product"])]


def test_endpoints_know_no_wildcard() -> None:
    """A request for endpoints without names asks for nothing."""
    assert told(talking(request(EDS)), snapshot_of()) == []


def test_names_that_are_taken_back_are_not_a_wildcard() -> None:
    """Once a client has named resources, an empty list means that it wants none."""
    conversation = talking(request(CDS, "order"))
    [response] = conversation.responses(snapshot_of())

    conversation.receive(request(CDS, nonce=response.nonce))

    assert told(conversation, snapshot_of()) == []


def test_what_is_named_is_sent_before_what_names_it() -> None:
    """Clusters, endpoints, listeners, routes: so traffic never meets a name without its meaning."""
    conversation = talking(*(request(kind, "order") for kind in (RDS, LDS, EDS, CDS)))

    assert [kind for kind, _ in told(conversation, snapshot_of())] == [CDS, EDS, LDS, RDS]


def test_an_acknowledged_snapshot_is_not_sent_again() -> None:
    """Nothing is owed to a client that has everything."""
    conversation = talking(request(EDS, "order"))
    [response] = conversation.responses(snapshot_of())

    meaning = conversation.receive(request(EDS, "order", nonce=response.nonce))

    assert meaning is Meaning.ACCEPTED
    assert told(conversation, snapshot_of()) == []


def test_only_changed_endpoints_are_sent() -> None:
    """A change of one service does not repeat the others' endpoints."""
    conversation = talking(request(EDS, "order", "product"))
    list(conversation.responses(snapshot_of()))

    assert told(conversation, snapshot_of(order=(instance(1),))) == [(EDS, ["order"])]


def test_a_refused_version_is_not_sent_again_but_the_next_is() -> None:
    """A NACK is remembered by sending nothing until the content changes."""
    conversation = talking(request(EDS, "order"))
    [response] = conversation.responses(snapshot_of())

    meaning = conversation.receive(request(EDS, "order", nonce=response.nonce, error="no such thing"))

    assert meaning is Meaning.REFUSED
    assert told(conversation, snapshot_of()) == []
    assert told(conversation, snapshot_of(order=(instance(1),))) == [(EDS, ["order"])]


def test_a_later_name_is_answered_alone() -> None:
    """A second channel in the same process adds a name; the endpoints it already has are not repeated."""
    conversation = talking(request(EDS, "order"))
    [response] = conversation.responses(snapshot_of())

    meaning = conversation.receive(request(EDS, "order", "product", nonce=response.nonce))

    assert meaning is Meaning.SUBSCRIBED
    assert told(conversation, snapshot_of()) == [(EDS, ["product"])]


def test_a_later_listener_brings_the_earlier_ones_again() -> None:
    """A response of listeners is whole: one that it leaves out would count as deleted."""
    conversation = talking(request(LDS, "order"))
    [response] = conversation.responses(snapshot_of())

    conversation.receive(request(LDS, "order", "product", nonce=response.nonce))

    assert told(conversation, snapshot_of()) == [(LDS, ["order", "product"])]


def test_a_name_taken_back_needs_no_answer() -> None:
    """A client that lost interest knows it."""
    conversation = talking(request(LDS, "order", "product"))
    [response] = conversation.responses(snapshot_of())

    conversation.receive(request(LDS, "order", nonce=response.nonce))

    assert told(conversation, snapshot_of()) == []


def test_an_acknowledgement_that_crossed_a_newer_response_is_ignored() -> None:
    """The client will acknowledge the newer one, with its names, so nothing is lost."""
    conversation = talking(request(EDS, "order"))
    [first] = conversation.responses(snapshot_of())
    list(conversation.responses(snapshot_of(order=(instance(1),))))

    assert conversation.receive(request(EDS, nonce=first.nonce)) is Meaning.STALE
    assert told(conversation, snapshot_of(order=(instance(2),))) == [(EDS, ["order"])]


def test_changed_clusters_bring_their_endpoints_again() -> None:
    """Envoy does not use a changed cluster before it has heard its endpoints anew."""
    conversation = talking(request(CDS, cluster="edge"), request(EDS, "order", cluster="edge"))
    list(conversation.responses(without_clusters(["order"])))

    assert told(conversation, snapshot_of()) == [(CDS, ["order", "product"]), (EDS, ["order"])]


def test_a_response_never_takes_everything_away() -> None:
    """Whatever happens to the snapshot, no client is sent an empty list."""
    conversation = talking(request(CDS, "order"), request(LDS, "order"))
    list(conversation.responses(snapshot_of()))

    assert told(conversation, without_clusters([])) == []


def test_a_service_that_no_contract_knows_is_answered_too() -> None:
    """A client with a wrong name learns it at once rather than after gRPC's 15 s."""
    [response] = talking(request(LDS, "ordre")).responses(snapshot_of())

    assert [b"ordre" in each.value for each in response.resources] == [True]


def test_a_client_that_knows_more_is_not_contradicted() -> None:
    """One that comes from a newer replica keeps what it learned there: nothing is said of the service."""
    asked = request(LDS, "later")
    asked.version_info = "of another replica"

    assert list(talking(asked).responses(snapshot_of())) == []


def test_a_service_that_becomes_known_replaces_the_answer() -> None:
    """Whatever a client was told of an unknown name ends with the first snapshot that has it."""
    conversation = talking(request(LDS, "product"))
    list(conversation.responses(without_clusters(["order"])))

    [response] = conversation.responses(snapshot_of())

    assert [each.value for each in response.resources] == [snapshot_of().view("")[LDS]["product"].body.value]


def test_a_resource_type_that_is_not_served_is_no_harm() -> None:
    """Clients of a newer library may ask for more."""
    conversation = Conversation("control-plane-1")

    meaning = conversation.receive(discovery_pb2.DiscoveryRequest(type_url="type.googleapis.com/else"))

    assert meaning is Meaning.UNKNOWN
    assert told(conversation, snapshot_of()) == []
