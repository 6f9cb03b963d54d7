"""What auth decides, without anything around it."""

from services.auth.domain.users import (
    PERMISSIONS,
    InvalidCredentials,
    NoUser,
    Role,
    User,
    UserNotFound,
    canonical,
    permissions_of,
)

__all__ = [
    "PERMISSIONS",
    "InvalidCredentials",
    "NoUser",
    "Role",
    "User",
    "UserNotFound",
    "canonical",
    "permissions_of",
]
