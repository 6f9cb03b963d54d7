"""Page tokens (AIP-158): a cursor and what it was made for, so that a token goes with the filters it came from only.

Tokens are opaque but hold no secret and give no right: every page is filtered anew by what its caller may see.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping

from mesh import errors

DEFAULT_SIZE = 50
Filters = Mapping[str, str | None]


def page_size(asked: int) -> int:
    """Return how many items to give; the contract bounds what may be asked."""
    return asked or DEFAULT_SIZE


def encode(cursor: str, filters: Filters) -> str:
    """Make the token for what comes after `cursor`."""
    text = json.dumps([cursor, _digest(filters)], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def decode(token: str, filters: Filters) -> str | None:
    """Return the cursor in a token; None for the first page. Raises InvalidArgument."""
    if not token:
        return None
    try:
        cursor, digest = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    except (binascii.Error, ValueError, TypeError) as unreadable:
        raise _invalid("this is no page token; send `next_page_token` of the page before as it is") from unreadable
    if digest != _digest(filters) or not isinstance(cursor, str):
        raise _invalid("the token belongs to a request with other filters; keep them, or start over without a token")
    return cursor


def number(cursor: str) -> int:
    """Read a cursor that counts. Raises InvalidArgument: tokens are not signed, so anybody can make one up."""
    try:
        return int(cursor)
    except ValueError as unreadable:
        raise _invalid("this is no page token; send `next_page_token` of the page before as it is") from unreadable


def _digest(filters: Filters) -> str:
    canonical = json.dumps(filters, sort_keys=True)
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def _invalid(description: str) -> errors.InvalidArgument:
    return errors.InvalidArgument(
        f"page_token: {description}",
        reason="PAGE_TOKEN_INVALID",
        violations=[errors.FieldViolation("page_token", description, "PAGE_TOKEN_INVALID")],
    )
