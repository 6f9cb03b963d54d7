"""Who is behind an admin's call: always somebody with a token, never a service for itself."""

from mesh import context
from services.auth.domain import NoUser


def held() -> frozenset[str]:
    """Return what the caller may do. Raises NoUser: whoever gives something away must have a name."""
    caller = context.current().caller
    if not caller.user_id:
        raise NoUser
    return caller.permissions
