"""What a process tells of the contracts it serves, in its entry in Consul: names of methods, `*` if repeatable.

By it a control plane knows how to reach a service whose contract it was not built with. An entry's values hold 512
characters, so the text is cut into `methods-0`, `methods-1` and so on.
"""

from collections.abc import Iterable, Mapping

from mesh.contract import Idempotency, MethodPolicy

TAG = "mesh"
"""Marks services that the mesh leads to."""

REPORT = "-report"
"""How the ids of checks end that are a process's own report: for people, who read what it lacks; not for traffic."""

KEY = "methods-"
LONGEST_VALUE = 512
REPEATABLE = "*"


def written(methods: Iterable[MethodPolicy]) -> dict[str, str]:
    """Write it, as in `acme.loyalty.v1.LoyaltyService/GetBalance*,AddPoints`; services are parted by blanks."""
    services: dict[str, list[str]] = {}
    for each in methods:
        mark = "" if each.idempotency is Idempotency.ONCE else REPEATABLE
        services.setdefault(each.service, []).append(f"{each.method}{mark}")
    text = " ".join(f"{service}/{','.join(names)}" for service, names in services.items())
    return {
        f"{KEY}{start // LONGEST_VALUE}": text[start : start + LONGEST_VALUE]
        for start in range(0, len(text), LONGEST_VALUE)
    }


def read(meta: Mapping[str, str]) -> dict[str, bool]:
    """Give each method's gRPC path, and whether it may be repeated. What can't be read is left out."""
    pieces = sorted((int(key.removeprefix(KEY)), value) for key, value in meta.items() if _is_piece(key))
    found = {}
    for service in "".join(value for _, value in pieces).split(" "):
        name, _, methods = service.partition("/")
        for method in filter(None, methods.split(",")):
            found[f"/{name}/{method.removesuffix(REPEATABLE)}"] = method.endswith(REPEATABLE)
    return found


def _is_piece(key: str) -> bool:
    return key.startswith(KEY) and key.removeprefix(KEY).isdecimal()
