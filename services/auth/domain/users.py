"""Users: who they are, and what they may be told. Pure."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from mesh import errors


class Role(StrEnum):
    """The roles that come with the system; admins make further ones."""

    CUSTOMER = "customer"
    SUPPORT = "support"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class User:
    """A person who can log in, unless they were disabled. `version` counts the events about them.

    `permissions` are what their roles allow at this moment.
    """

    id: str
    email: str
    display_name: str
    roles: tuple[str, ...]
    version: int
    create_time: datetime
    disable_time: datetime | None = None
    permissions: frozenset[str] = frozenset()
    email_verified: bool = False
    second_factor: bool = False


def canonical(email: str) -> str:
    """Return what an email is told apart by: without regard to case or surrounding space."""
    return email.strip().casefold()


class InvalidCredentials(errors.Unauthenticated):
    """Email or password is wrong, or the email has to be verified and is not; which of them is nobody's business."""

    def __init__(self) -> None:
        message = "email or password is wrong, or the email is not verified yet"
        super().__init__(message, reason="INVALID_CREDENTIALS")


class UserDisabled(errors.Unauthenticated):
    """An admin locked the user out; told only to who has proved to be the user."""

    def __init__(self) -> None:
        super().__init__("this account is disabled; ask us why", reason="USER_DISABLED")


class UserNotFound(errors.NotFound):
    """There is no such user."""

    def __init__(self, user_id: str) -> None:
        super().__init__(f"there is no user {user_id}", reason="USER_NOT_FOUND", metadata={"user_id": user_id})


class NoUser(errors.Unauthenticated):
    """A service called for itself where the user of a token is asked for."""

    def __init__(self) -> None:
        super().__init__("no user is behind this call; send a token", reason="NO_USER")
