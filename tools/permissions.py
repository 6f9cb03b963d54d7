"""Writes docs/permissions.md: who may call what, from the contracts, and which roles may; `--check` only compares."""

import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

from mesh.contract import AccessKind, Contract, MethodPolicy

CHECKOUT = Path(__file__).resolve().parent.parent
PAGE = CHECKOUT / "docs" / "permissions.md"
ROLES = CHECKOUT / "services" / "auth" / "roles.toml"
INTRODUCTION = """\
# Who may call what

Made by `make docs` from the contracts (`proto/`) and from the roles that come with the system; `make lint` fails when
it is not what they say. Roles are data: admins make others and change these ([oauth.md](oauth.md)), so that an install
may differ.

- **anybody**: no token is needed.
- a permission: the token must have it. With the one after "or of everybody", the caller also reaches what belongs to
  others; without it only their own, and all else is NOT_FOUND.
- **services**: only processes of the mesh, by their certificates. The edge has no route to it.
- **the edge**: only the edge itself, by its certificate; it has no route to it, either.
"""


def granted() -> dict[str, set[str]]:
    """What each role that comes with the system may do."""
    return {name: set(held) for name, held in tomllib.loads(ROLES.read_text()).items()}


def who(method: MethodPolicy) -> str:
    """Who may call a method."""
    match method.access.kind:
        case AccessKind.PUBLIC:
            return "**anybody**"
        case AccessKind.INTERNAL:
            return "**services**"
        case AccessKind.EDGE:
            return "**the edge**"
        case AccessKind.PERMISSION:
            wider = f", or of everybody `{method.unrestricted_permission}`" if method.unrestricted_permission else ""
            return f"`{method.access.permission}`{wider}"


def route(method: MethodPolicy) -> str:
    """How the method is reached over REST."""
    return "<br>".join(f"`{binding.verb} {binding.path}`" for binding in method.bindings) or "none"


def method_lines(methods: list[MethodPolicy], roles: dict[str, set[str]]) -> Iterator[str]:
    """The methods of one service."""
    yield "| method | REST | who may call it | roles |\n|---|---|---|---|"
    for method in methods:
        having = [role for role, held in roles.items() if method.access.permission in held]
        yield f"| {method.method} | {route(method)} | {who(method)} | {', '.join(having)} |"


def role_lines(permissions: frozenset[str], roles: dict[str, set[str]]) -> Iterator[str]:
    """Each permission and the roles that have it."""
    yield f"| permission | {' | '.join(roles)} |\n|---|{'---|' * len(roles)}"
    for permission in sorted(permissions):
        marks = ("yes" if permission in held else "" for held in roles.values())
        yield f"| `{permission}` | {' | '.join(marks)} |"


def written(contract: Contract, roles: dict[str, set[str]]) -> str:
    """The page."""
    lines = [INTRODUCTION, "## Permissions and roles\n", *role_lines(contract.permissions, roles), ""]
    for service in contract.services:
        methods = [method for method in contract.methods if method.service == service]
        lines += [f"## {service.rpartition('.')[2]}\n", *method_lines(methods, roles), ""]
    return "\n".join(lines)


def main() -> None:
    """Write the page anew, or fail if it is not as it should be."""
    fresh = written(Contract.load(), granted())
    if "--check" not in sys.argv:
        PAGE.write_text(fresh)
    elif not PAGE.exists() or fresh != PAGE.read_text():
        raise SystemExit("docs/permissions.md is not what the contracts and roles say; run `make docs`")


if __name__ == "__main__":
    main()
