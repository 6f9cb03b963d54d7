"""Which calls may be repeated by infrastructure: the contracts say so, and nothing else does."""

from mesh.contract import Contract, Idempotency


def repeatable_methods(contract: Contract) -> dict[str, list[str]]:
    """List the known services, each with the paths of its methods that may run once or many times."""
    found: dict[str, list[str]] = {}
    for method in contract.methods:
        paths = found.setdefault(method.domain, [])
        if method.idempotency in (Idempotency.SAFE, Idempotency.IDEMPOTENT):
            paths.append(method.full_name)
    return found
