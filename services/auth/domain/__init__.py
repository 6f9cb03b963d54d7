"""What auth decides, without anything around it."""

from services.auth.domain.roles import (
    ADMIN,
    LastAdmin,
    RoleChanged,
    RoleDefinition,
    RoleExists,
    RoleFixed,
    RoleInUse,
    RoleNotFound,
    require_exist,
    require_held,
    require_known,
)
from services.auth.domain.users import (
    InvalidCredentials,
    NoUser,
    Role,
    User,
    UserDisabled,
    UserNotFound,
    canonical,
)

__all__ = [
    "ADMIN",
    "InvalidCredentials",
    "LastAdmin",
    "NoUser",
    "Role",
    "RoleChanged",
    "RoleDefinition",
    "RoleExists",
    "RoleFixed",
    "RoleInUse",
    "RoleNotFound",
    "User",
    "UserDisabled",
    "UserNotFound",
    "canonical",
    "require_exist",
    "require_held",
    "require_known",
]
