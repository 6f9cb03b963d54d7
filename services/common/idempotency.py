"""The key by which a repeated request is known: the contract's field `request_id`, or the header `Idempotency-Key`."""

from mesh import errors

MAX_LENGTH = 255
"""The contract's bound of `request_id`; here for the header, which no contract checks."""


def request_key(field: str, header: str | None) -> str | None:
    """Return the key of a request, or None when it has none. Raises InvalidArgument when the two sources differ."""
    if field and header and field != header:
        raise errors.InvalidArgument(
            "request_id and the header Idempotency-Key differ",
            reason="IDEMPOTENCY_KEY_MISMATCH",
            violations=[errors.FieldViolation("request_id", "send one of the two, or the same value in both")],
        )
    key = field or header or None
    if key is not None and len(key) > MAX_LENGTH:
        raise errors.InvalidArgument(
            f"the header Idempotency-Key is longer than {MAX_LENGTH} characters",
            reason="IDEMPOTENCY_KEY_TOO_LONG",
            violations=[errors.FieldViolation("request_id", f"at most {MAX_LENGTH} characters")],
        )
    return key
