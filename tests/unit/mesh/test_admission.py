"""Who may call what: the truth table of access, and how claims are believed or not."""

import base64
import itertools
import json
import time
import tomllib
from datetime import timedelta
from pathlib import Path

import pytest

from mesh import admission, errors, headers
from mesh.contract import Access, AccessKind, Contract, Idempotency, MethodPolicy, RateClass

NEVER = 2**40
USER = "01890000-0000-7000-8000-00000000c001"
PUBLIC = Access(AccessKind.PUBLIC)
INTERNAL = Access(AccessKind.INTERNAL)
EDGE = Access(AccessKind.EDGE)
PERMISSION = Access(AccessKind.PERMISSION, "orders.read")


def policy(access: Access, unrestricted: str = "") -> MethodPolicy:
    """Make the policy of a method."""
    return MethodPolicy(
        full_name="/ordermesh.order.v1.OrderService/GetOrder",
        service="ordermesh.order.v1.OrderService",
        method="GetOrder",
        access=access,
        deadline=timedelta(seconds=2),
        idempotency=Idempotency.SAFE,
        rate=RateClass.DEFAULT,
        cache_ttl=None,
        unrestricted_permission=unrestricted,
        bindings=(),
    )


def encoded(payload: object) -> str:
    """Encode claims as the edge does: base64url without padding."""
    return base64.urlsafe_b64encode(json.dumps(payload).encode()).rstrip(b"=").decode()


def claims(*permissions: str) -> str:
    """Make the claims of a user with these permissions."""
    return encoded(
        {"sub": USER, "email": "a@example.com", "roles": ["customer"], "permissions": permissions, "exp": NEVER}
    )


HOLDER, STRANGER, NOBODY = claims("orders.read"), claims("orders.create"), ""
CLAIMS = {HOLDER: "holder", STRANGER: "stranger", NOBODY: "nobody"}
REFUSED = {
    # What is internal the edge may not call, for nobody; what is the edge's, nobody else, and the edge for itself only.
    (INTERNAL, "edge", HOLDER): "INTERNAL_METHOD",
    (INTERNAL, "edge", STRANGER): "INTERNAL_METHOD",
    (INTERNAL, "edge", NOBODY): "INTERNAL_METHOD",
    (EDGE, "edge", HOLDER): "INTERNAL_METHOD",
    (EDGE, "edge", STRANGER): "INTERNAL_METHOD",
    (EDGE, "order", HOLDER): "INTERNAL_METHOD",
    (EDGE, "order", STRANGER): "INTERNAL_METHOD",
    (EDGE, "order", NOBODY): "INTERNAL_METHOD",
    (PERMISSION, "edge", STRANGER): "PERMISSION_MISSING",
    (PERMISSION, "edge", NOBODY): "TOKEN_MISSING",
    # A service that acts for a user may do no more than the user.
    (PERMISSION, "order", STRANGER): "PERMISSION_MISSING",
}
TABLE = list(itertools.product((PUBLIC, INTERNAL, EDGE, PERMISSION), ("edge", "order"), CLAIMS))


@pytest.mark.parametrize(
    ("access", "peer", "shown"), TABLE, ids=[f"{kind.kind.value}-{peer}-{CLAIMS[shown]}" for kind, peer, shown in TABLE]
)
def test_access_is_what_the_contract_says(access: Access, peer: str, shown: str) -> None:
    """Everything that isn't refused is admitted, under the name it has a right to."""
    reason = REFUSED.get((access, peer, shown))
    if reason is not None:
        with pytest.raises(errors.Error) as refusal:
            admission.admit(policy(access), peer, shown)
        assert refusal.value.reason == reason
        return
    caller = admission.admit(policy(access), peer, shown)
    assert caller.peer == peer
    assert caller.actor == (f"user:{USER}" if shown else f"service:{peer}")
    assert caller.unrestricted == (peer != headers.EDGE and not shown)


def test_who_is_not_logged_in_is_told_so_and_not_that_they_may_not() -> None:
    """401 makes a client log in; 403 makes it give up."""
    with pytest.raises(errors.Unauthenticated):
        admission.admit(policy(PERMISSION), headers.EDGE, NOBODY)
    with pytest.raises(errors.PermissionDenied) as refusal:
        admission.admit(policy(PERMISSION), headers.EDGE, STRANGER)
    assert dict(refusal.value.metadata) == {"permission": "orders.read"}


def test_the_unrestricted_permission_lifts_the_owner_check() -> None:
    """Staff see the orders of others where the contract says so, and only there."""
    staff = claims("orders.read", "orders.manage")
    caller = admission.admit(policy(PERMISSION, "orders.manage"), headers.EDGE, staff)
    assert caller.unrestricted
    assert caller.can_see("somebody else")
    assert not admission.admit(policy(PERMISSION), headers.EDGE, staff).unrestricted
    assert not admission.admit(policy(PERMISSION, "orders.manage"), headers.EDGE, HOLDER).can_see("somebody else")


def test_a_user_sees_what_is_theirs() -> None:
    """What has no owner is nobody's."""
    caller = admission.admit(policy(PERMISSION), headers.EDGE, HOLDER)
    assert caller.can_see(USER)
    assert not caller.can_see(None)
    assert not caller.can_see("")
    assert not admission.admit(policy(PUBLIC), headers.EDGE, NOBODY).can_see("")


MALFORMED = {
    "not base64": "%%%",
    "not UTF-8": "gICA",
    "not JSON": base64.urlsafe_b64encode(b"{").decode(),
    "not an object": encoded(["sub"]),
    "no subject": encoded({"permissions": ["orders.read"], "exp": NEVER}),
    "subject is null": encoded({"sub": None, "exp": NEVER}),
    "subject is empty": encoded({"sub": "", "exp": NEVER}),
    "subject is a number": encoded({"sub": 7, "exp": NEVER}),
    "permissions are null": encoded({"sub": USER, "permissions": None, "exp": NEVER}),
    "permissions are one text": encoded({"sub": USER, "permissions": "orders.read", "exp": NEVER}),
    "roles are objects": encoded({"sub": USER, "roles": [{}], "exp": NEVER}),
    "no expiry": encoded({"sub": USER}),
    "expiry is a word": encoded({"sub": USER, "exp": "never"}),
    "not ASCII": "\N{SNOWMAN}",
}


@pytest.mark.parametrize("shown", MALFORMED.values(), ids=MALFORMED.keys())
def test_claims_that_can_not_be_read_admit_nobody(shown: str) -> None:
    """Not even to a public method: something is wrong with whoever sent them."""
    with pytest.raises(errors.Unauthenticated) as refusal:
        admission.admit(policy(PUBLIC), headers.EDGE, shown)
    assert refusal.value.reason == "CLAIMS_MALFORMED"


def test_claims_that_expired_admit_nobody() -> None:
    """Nor does having been read before help; a call that took its time to arrive is still served."""
    now = time.time()
    late = encoded({"sub": USER, "exp": int(now) - 30})
    assert admission.admit(policy(PUBLIC), headers.EDGE, late).user_id == USER
    for _ in range(2):
        with pytest.raises(errors.Unauthenticated) as refusal:
            admission.admit(policy(PUBLIC), headers.EDGE, encoded({"sub": USER, "exp": int(now) - 61}))
        assert refusal.value.reason == "TOKEN_EXPIRED"


def streams(method: MethodPolicy) -> bool:
    """Whether a call may last for minutes: its claims are judged once, when it begins."""
    return method.client_streaming or method.server_streaming


def test_what_the_edge_lets_through_is_not_refused_behind_it() -> None:
    """The clocks' difference that it allows for and the longest call together are less than the grace."""
    edge = tomllib.loads((Path(__file__).resolve().parents[3] / "gateway" / "edge.toml").read_text())
    calls = [each.deadline.total_seconds() for each in Contract.load().methods if not streams(each)]
    assert edge["tokens"]["clock_skew_seconds"] + max(calls) < admission.GRACE_SECONDS
