"""Which calls may be repeated by infrastructure: the contracts say so, and nothing else does."""

from mesh.contract import Contract, Idempotency


def repeatable_methods(contract: Contract) -> dict[str, tuple[str, ...]]:
    """List the known services, each with the paths of its methods that have no effect, or the same when repeated.

    The name of a service is the domain in its package: `ordermesh.<name>.v1`.
    """
    found: dict[str, tuple[str, ...]] = {}
    for method in contract.methods:
        name = method.service.split(".")[1]
        repeatable = method.idempotency in (Idempotency.SAFE, Idempotency.IDEMPOTENT)
        found[name] = (*found.get(name, ()), *((method.full_name,) if repeatable else ()))
    return found
