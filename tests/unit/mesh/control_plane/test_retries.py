"""Which calls may be repeated, by the contracts."""

from datetime import timedelta

from mesh.contract import Access, AccessKind, Contract, Idempotency, MethodPolicy, RateClass
from mesh.control_plane.retries import repeatable_methods


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
    """What may have an effect each time is not named, so its route has no retry policy."""
    order, auth = "ordermesh.order.v1.OrderService", "ordermesh.auth.v1.AuthService"
    methods = (
        method(order, "GetOrder", Idempotency.SAFE),
        method(order, "CreateOrder", Idempotency.ONCE),
        method(order, "CancelOrder", Idempotency.IDEMPOTENT),
        method(auth, "Register", Idempotency.ONCE),
    )

    found = repeatable_methods(Contract({each.full_name: each for each in methods}))

    assert found == {"order": [f"/{order}/GetOrder", f"/{order}/CancelOrder"], "auth": []}
