"""Who is let in: certificates of the mesh whose service an intention allows."""

from collections.abc import Mapping
from typing import Any

import pytest

from mesh import errors
from mesh.intentions import FOR_USERS, Intentions, IntentionsUnknownError, Permission, Rule
from mesh.peers import SPIFFE_ID, CertifiedPeers
from mesh.spiffe import TrustDomain

DOMAIN = TrustDomain("cluster.consul", "dc1")
GET, RESERVE = "/p.Inventory/GetStock", "/p.Inventory/ReserveStock"


class Shown:
    """A call whose handshake showed an ID, or none."""

    def __init__(self, spiffe_id: str = "") -> None:
        """`spiffe_id` as gRPC tells it."""
        self._context: Mapping[str, Any] = {SPIFFE_ID: [spiffe_id.encode()]} if spiffe_id else {}

    def peer(self) -> str:
        """Tell where it comes from."""
        return "ipv4:127.0.0.1:1"

    def auth_context(self) -> Mapping[str, Any]:
        """Tell what the handshake showed."""
        return self._context


def peers(**rules: Rule) -> CertifiedPeers:
    """Let in by these rules."""
    return CertifiedPeers(DOMAIN, Intentions(rules))


def test_a_service_that_an_intention_allows_is_let_in() -> None:
    """By name."""
    assert peers(order=Rule(allowed=True)).caller_of(Shown(DOMAIN.id_of("order")), GET, for_user=False) == "order"


@pytest.mark.parametrize("shown", ["", "spiffe://other.consul/ns/default/dc/dc1/svc/order", "garbage"])
def test_without_an_id_of_the_mesh_nobody_is_let_in(shown: str) -> None:
    """Consul's agent, a certificate of another cluster, or none."""
    with pytest.raises(errors.Unauthenticated) as refusal:
        peers(order=Rule(allowed=True)).caller_of(Shown(shown), GET, for_user=False)
    assert refusal.value.reason == "PEER_UNKNOWN"


@pytest.mark.parametrize("rules", [{}, {"order": Rule(allowed=False)}, {"payment": Rule(allowed=True)}])
def test_what_no_intention_allows_is_denied(rules: dict[str, Rule]) -> None:
    """Default deny."""
    with pytest.raises(errors.PermissionDenied) as refusal:
        peers(**rules).caller_of(Shown(DOMAIN.id_of("order")), GET, for_user=False)
    assert (refusal.value.reason, refusal.value.metadata["peer"]) == ("PEER_NOT_ALLOWED", "order")


def asks(rule: Rule, method: str, *, for_user: bool) -> str:
    """Let `order` ask by a rule; gives OK, or the reason of the refusal."""
    try:
        peers(order=rule).caller_of(Shown(DOMAIN.id_of("order")), method, for_user=for_user)
    except errors.PermissionDenied as refusal:
        return refusal.reason
    return "OK"


CLAIMS = Permission(allowed=True, with_claims=True)
NO_CLAIMS = Permission(allowed=False, with_claims=True)
ALL = Permission(allowed=True)
RULES = {
    # The rule, and what becomes of GET and RESERVE without claims, and of both with claims.
    "allowed": (Rule(allowed=True), "OK OK USER USER"),
    "denied": (Rule(), "PEER PEER PEER PEER"),
    "for users": (FOR_USERS, "OK OK OK OK"),
    "for users only": (Rule(permissions=(CLAIMS,)), "PEER PEER OK OK"),
    "everything, without a word about claims": (Rule(permissions=(ALL,)), "OK OK USER USER"),
    "claims shut out first": (Rule(permissions=(NO_CLAIMS, CLAIMS, ALL)), "OK OK USER USER"),
    "one method": (Rule(permissions=(Permission(allowed=True, path=RESERVE),)), "PEER OK PEER USER"),
    "all but one method": (
        Rule(permissions=(Permission(allowed=False, path=RESERVE), CLAIMS, ALL)),
        "OK PEER OK PEER",
    ),
    "for users one method": (
        Rule(permissions=(Permission(allowed=True, path=GET, with_claims=True), ALL)),
        "OK OK OK USER",
    ),
    "a denial that comes too late": (Rule(permissions=(ALL, Permission(allowed=False, path=GET))), "OK OK USER USER"),
    "another service": (Rule(permissions=(Permission(allowed=True, prefix="/p.Other/"),)), "PEER PEER PEER PEER"),
    "below a prefix": (Rule(permissions=(Permission(allowed=True, prefix="/p.Inventory/"),)), "OK OK USER USER"),
    "not understood": (Rule(permissions=(Permission(allowed=True, understood=False), CLAIMS)), "PEER PEER OK OK"),
    "a denial not understood": (
        Rule(permissions=(Permission(allowed=False, path=GET, understood=False), CLAIMS, ALL)),
        "PEER OK PEER OK",
    ),
}
ANSWERS = {"OK": "OK", "PEER": "PEER_NOT_ALLOWED", "USER": "ACTING_FOR_USER_DENIED"}


@pytest.mark.parametrize(("rule", "expected"), RULES.values(), ids=RULES)
def test_the_first_permission_that_speaks_of_a_call_decides(rule: Rule, expected: str) -> None:
    """For users only what names their claims allows; the refusal says which of the two is missing."""
    calls = [(method, for_user) for for_user in (False, True) for method in (GET, RESERVE)]
    assert [asks(rule, method, for_user=for_user) for method, for_user in calls] == [
        ANSWERS[each] for each in expected.split()
    ]


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


def test_before_consul_is_heard_a_member_is_told_to_ask_again() -> None:
    """That is no verdict on who calls; a stranger stays one whatever Consul will say."""
    door = CertifiedPeers(DOMAIN, Intentions())
    with pytest.raises(errors.Unavailable) as told:
        door.caller_of(Shown(DOMAIN.id_of("order")), GET, for_user=True)
    assert told.value.reason == "INTENTIONS_UNKNOWN"
    with pytest.raises(errors.Unauthenticated):
        door.caller_of(Shown(), GET, for_user=False)


def test_it_is_remembered_who_called() -> None:
    """Those that were let in, those that weren't, and those without an identity in this mesh."""
    door = peers(order=Rule(allowed=True))
    door.caller_of(Shown(DOMAIN.id_of("order")), GET, for_user=False)
    door.caller_of(Shown(DOMAIN.id_of("order")), RESERVE, for_user=False)
    for stranger in (Shown(DOMAIN.id_of("payment")), Shown()):
        with pytest.raises((errors.PermissionDenied, errors.Unauthenticated)):
            door.caller_of(stranger, GET, for_user=False)
    counted = {name: (visits.admitted, visits.refused, visits.last_method) for name, visits in door.visits.items()}
    assert counted == {"order": (2, 0, RESERVE), "payment": (0, 1, GET), "": (0, 1, GET)}
