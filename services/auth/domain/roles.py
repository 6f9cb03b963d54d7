"""Roles as data: names for sets of the permissions that the contracts name, and what must never happen to them."""

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime

from mesh import errors

ADMIN = "admin"
"""The role that holds every permission. Somebody always has it."""


@dataclass(frozen=True, slots=True)
class RoleDefinition:
    """A role. `version` counts the events about it, which go by its id: a name may be used again."""

    id: str
    name: str
    description: str
    permissions: frozenset[str]
    built_in: bool
    version: int
    create_time: datetime
    update_time: datetime

    @property
    def etag(self) -> str:
        """What a caller compares to know whether the role changed; another one of the same name has others."""
        return f"{self.id}.{self.version}"


def require_known(permissions: Sequence[str], known: AbstractSet[str]) -> None:
    """Raise InvalidArgument, naming each, for permissions that no contract has."""
    violations = [
        errors.FieldViolation(f"permissions[{index}]", f"no contract has the permission {each}", "PERMISSION_UNKNOWN")
        for index, each in enumerate(permissions)
        if each not in known
    ]
    if violations:
        raise errors.InvalidArgument(
            f"{violations[0].field}: {violations[0].description}", reason="PERMISSION_UNKNOWN", violations=violations
        )


def require_exist(roles: Sequence[str], known: AbstractSet[str]) -> None:
    """Raise InvalidArgument, naming each, for roles that there are not."""
    violations = [
        errors.FieldViolation(f"roles[{index}]", f"there is no role {each}", "ROLE_UNKNOWN")
        for index, each in enumerate(roles)
        if each not in known
    ]
    if violations:
        raise errors.InvalidArgument(
            f"{violations[0].field}: {violations[0].description}", reason="ROLE_UNKNOWN", violations=violations
        )


def require_held(given: Iterable[str], held: AbstractSet[str]) -> None:
    """Raise PermissionDenied for giving somebody what the giver may not do: else a part would be worth the whole."""
    beyond = sorted(set(given) - held)
    if beyond:
        raise errors.PermissionDenied(
            f"you can't give {', '.join(beyond)}, which you may not do yourself",
            reason="ESCALATION",
            metadata={"permissions": ",".join(beyond)},
        )


class RoleNotFound(errors.NotFound):
    """There is no such role."""

    def __init__(self, name: str) -> None:
        super().__init__(f"there is no role {name}", reason="ROLE_NOT_FOUND", metadata={"name": name})


class RoleExists(errors.AlreadyExists):
    """The name is taken."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"there is a role {name} already; update it, or choose another name",
            reason="ROLE_EXISTS",
            violations=[errors.FieldViolation("name", "is taken", "ROLE_EXISTS")],
        )


class RoleFixed(errors.FailedPrecondition):
    """The role came with the system, which relies on it."""

    def __init__(self, name: str) -> None:
        super().__init__(f"the role {name} comes with the system and stays as it is", reason="ROLE_FIXED")


class RoleChanged(errors.Aborted):
    """Somebody else changed the role since the caller read it: read it again and decide anew."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"the role {name} has changed since it was read; get it again",
            reason="ROLE_CHANGED",
            metadata={"name": name},
        )


class RoleInUse(errors.FailedPrecondition):
    """Somebody has the role."""

    def __init__(self, name: str) -> None:
        super().__init__(f"somebody has the role {name}; give them others first", reason="ROLE_IN_USE")


class LastAdmin(errors.FailedPrecondition):
    """Nobody else could look after the system."""

    def __init__(self) -> None:
        super().__init__("this is the last admin; make somebody else one first", reason="LAST_ADMIN")
