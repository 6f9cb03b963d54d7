"""Who is let in: certificates of the mesh whose service an intention allows."""

from collections.abc import Mapping
from typing import Any

import pytest

from mesh import errors
from mesh.intentions import Intentions, IntentionsUnknownError, Rule
from mesh.peers import SPIFFE_ID, CertifiedPeers
from mesh.spiffe import TrustDomain

DOMAIN = TrustDomain("cluster.consul", "dc1")
GET, RESERVE = "/p.Inventory/GetStock", "/p.Inventory/ReserveStock"


class Shown:
    """A call whose handshake showed an ID, or none."""

    def __init__(self, spiffe_id: str = "") -> None:
        """`spiffe_id` as gRPC tells it."""
        self._context: Mapping[str, Any] = {SPIFFE_ID: [spiffe_id.encode()]} if spiffe_id else {}

    def auth_context(self) -> Mapping[str, Any]:
        """Tell what the handshake showed."""
        return self._context


def peers(**rules: Rule) -> CertifiedPeers:
    """Let in by these rules."""
    return CertifiedPeers(DOMAIN, Intentions(rules))


def test_a_service_that_an_intention_allows_is_let_in() -> None:
    """By name."""
    assert peers(order=Rule(allowed=True)).caller_of(Shown(DOMAIN.id_of("order")), GET) == "order"


@pytest.mark.parametrize("shown", ["", "spiffe://other.consul/ns/default/dc/dc1/svc/order", "garbage"])
def test_without_an_id_of_the_mesh_nobody_is_let_in(shown: str) -> None:
    """Consul's agent, a certificate of another cluster, or none."""
    with pytest.raises(errors.Unauthenticated) as refusal:
        peers(order=Rule(allowed=True)).caller_of(Shown(shown), GET)
    assert refusal.value.reason == "PEER_UNKNOWN"


@pytest.mark.parametrize("rules", [{}, {"order": Rule(allowed=False)}, {"payment": Rule(allowed=True)}])
def test_what_no_intention_allows_is_denied(rules: dict[str, Rule]) -> None:
    """Default deny."""
    with pytest.raises(errors.PermissionDenied) as refusal:
        peers(**rules).caller_of(Shown(DOMAIN.id_of("order")), GET)
    assert (refusal.value.reason, refusal.value.metadata["peer"]) == ("PEER_NOT_ALLOWED", "order")


def test_an_intention_may_speak_of_single_methods() -> None:
    """What isn't named follows the source as a whole."""
    guarded = peers(order=Rule(allowed=False, methods={RESERVE: True}))
    assert guarded.caller_of(Shown(DOMAIN.id_of("order")), RESERVE) == "order"
    with pytest.raises(errors.PermissionDenied):
        guarded.caller_of(Shown(DOMAIN.id_of("order")), GET)


def test_a_rule_for_a_source_goes_before_the_one_for_anybody() -> None:
    """So that one can be shut out, or let in."""
    intentions = Intentions({"*": Rule(allowed=True), "order": Rule(allowed=False)})
    assert intentions.allow("payment", GET)
    assert not intentions.allow("order", GET)


async def test_before_consul_is_heard_nobody_is_let_in_and_the_process_is_not_healthy() -> None:
    """Not knowing is not allowing."""
    unknown = Intentions()
    assert not unknown.allow("order", GET)
    with pytest.raises(IntentionsUnknownError):
        await unknown.check()
    await Intentions({}).check()


def test_it_is_remembered_who_called() -> None:
    """Those that were let in, those that weren't, and those without an identity in this mesh."""
    door = peers(order=Rule(allowed=True))
    door.caller_of(Shown(DOMAIN.id_of("order")), GET)
    door.caller_of(Shown(DOMAIN.id_of("order")), RESERVE)
    for stranger in (Shown(DOMAIN.id_of("payment")), Shown()):
        with pytest.raises((errors.PermissionDenied, errors.Unauthenticated)):
            door.caller_of(stranger, GET)
    counted = {name: (visits.admitted, visits.refused, visits.last_method) for name, visits in door.visits.items()}
    assert counted == {"order": (2, 0, RESERVE), "payment": (0, 1, GET), "": (0, 1, GET)}
