"""Which methods there are, and which of them infrastructure may repeat: the contracts say so, and nothing else."""

from mesh.contract import Contract, Idempotency


def methods_of(contract: Contract) -> dict[str, dict[str, bool]]:
    """List the known services, each with the paths of its methods and whether they may run once or many times."""
    found: dict[str, dict[str, bool]] = {}
    for method in contract.methods:
        repeatable = method.idempotency in (Idempotency.SAFE, Idempotency.IDEMPOTENT)
        found.setdefault(method.domain, {})[method.full_name] = repeatable
    return found
