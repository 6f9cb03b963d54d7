"""On what a change depends: the contract's field `etag`, or the header `If-Match` (RFC 9110, section 13.1.1)."""

import re

from mesh import errors

ANY = "*"
_TAG = re.compile(r'"(?P<quoted>[\x21\x23-\x7e]+)"|(?P<bare>[\w.-]+)')


def expected_etag(field: str, header: str | None) -> str:
    """Return the etag that must still hold, or "" for any. Raises InvalidArgument when it cannot be told."""
    if not header or header.strip() == ANY:
        return field
    tag = _TAG.fullmatch(header.strip())
    if tag is None:
        raise _refused("If-Match holds one etag, in quotes, as it was in the field `etag`", "IF_MATCH_INVALID")
    named = tag["quoted"] or tag["bare"]
    if field and field != named:
        raise _refused("etag and the header If-Match differ", "IF_MATCH_MISMATCH")
    return named


def _refused(message: str, reason: str) -> errors.InvalidArgument:
    violation = errors.FieldViolation("etag", "send one of the two, or the same value in both")
    return errors.InvalidArgument(message, reason=reason, violations=[violation])
