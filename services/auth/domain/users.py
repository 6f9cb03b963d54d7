"""Users, roles and what each role may do. Pure; the permissions are those that the contracts name."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType

from mesh import errors


class Role(StrEnum):
    """What a user is to the company."""

    CUSTOMER = "customer"
    SUPPORT = "support"
    ADMIN = "admin"


_CUSTOMER = frozenset(
    {
        "account.read",
        "account.manage",
        "orders.create",
        "orders.read",
        "orders.cancel",
        "orders.return",
        "payments.read",
        "notifications.read",
    }
)
_SUPPORT = _CUSTOMER | {
    "orders.manage",
    "orders.ship",
    "orders.refund",
    "payments.manage",
    "notifications.manage",
    "inventory.read",
}
_ADMIN = _SUPPORT | {"products.write", "inventory.write"}

PERMISSIONS: Mapping[Role, frozenset[str]] = MappingProxyType(
    {Role.CUSTOMER: _CUSTOMER, Role.SUPPORT: _SUPPORT, Role.ADMIN: _ADMIN}
)


@dataclass(frozen=True, slots=True)
class User:
    """A person who can log in. `version` counts the events about them."""

    id: str
    email: str
    display_name: str
    roles: tuple[Role, ...]
    version: int
    create_time: datetime
    email_verified: bool = False
    second_factor: bool = False


def permissions_of(roles: Iterable[Role]) -> frozenset[str]:
    """Return what holders of all these roles may do."""
    return frozenset().union(*(PERMISSIONS[role] for role in roles))


def canonical(email: str) -> str:
    """Return what an email is told apart by: without regard to case or surrounding space."""
    return email.strip().casefold()


class InvalidCredentials(errors.Unauthenticated):
    """Email or password is wrong, or the email has to be verified and is not; which of them is nobody's business."""

    def __init__(self) -> None:
        message = "email or password is wrong, or the email is not verified yet"
        super().__init__(message, reason="INVALID_CREDENTIALS")


class UserNotFound(errors.NotFound):
    """There is no such user."""

    def __init__(self, user_id: str) -> None:
        super().__init__(f"there is no user {user_id}", reason="USER_NOT_FOUND", metadata={"user_id": user_id})


class NoUser(errors.Unauthenticated):
    """A service called for itself where the user of a token is asked for."""

    def __init__(self) -> None:
        super().__init__("no user is behind this call; send a token", reason="NO_USER")
