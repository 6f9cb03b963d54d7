"""Who is behind an admin's call: always somebody with a token, never a service for itself; and on what it depends."""

from mesh import context
from services.auth.domain import NoUser
from services.common.conditions import expected_etag


def held() -> frozenset[str]:
    """Return what the caller may do. Raises NoUser: whoever gives something away must have a name."""
    caller = context.current().caller
    if not caller.user_id:
        raise NoUser
    return caller.permissions


def expected(etag: str) -> str:
    """Return the etag that must still hold, by the request's field or the header, or "" for any."""
    return expected_etag(etag, context.current().if_match)
