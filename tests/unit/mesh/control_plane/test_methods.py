"""Which methods there are and which calls may be repeated, by the contracts."""

from datetime import timedelta

from mesh.contract import Access, AccessKind, Contract, Idempotency, MethodPolicy, RateClass
from mesh.control_plane.methods import methods_of


def method(service: str, name: str, idempotency: Idempotency) -> MethodPolicy:
    """Make the policy of a method; only what it says about repeating matters here."""
    return MethodPolicy(
        full_name=f"/{service}/{name}",
        service=service,
        method=name,
        access=Access(AccessKind.PUBLIC),
        deadline=timedelta(seconds=1),
        idempotency=idempotency,
        rate=RateClass.DEFAULT,
        cache_ttl=None,
        unrestricted_permission="",
        bindings=(),
    )


def test_safe_and_idempotent_methods_may_be_repeated_and_others_never() -> None:
    """What may have an effect each time may not."""
    order, auth = "ordermesh.order.v1.OrderService", "ordermesh.auth.v1.AuthService"
    methods = (
        method(order, "GetOrder", Idempotency.SAFE),
        method(order, "CreateOrder", Idempotency.ONCE),
        method(order, "CancelOrder", Idempotency.IDEMPOTENT),
        method(auth, "Register", Idempotency.ONCE),
    )

    found = methods_of(Contract({each.full_name: each for each in methods}))

    assert found == {
        "order": {f"/{order}/GetOrder": True, f"/{order}/CreateOrder": False, f"/{order}/CancelOrder": True},
        "auth": {f"/{auth}/Register": False},
    }
