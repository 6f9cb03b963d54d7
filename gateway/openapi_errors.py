"""What the description of the API says of errors: the shape of a problem, and which statuses a method answers with."""

from collections.abc import Iterator

from google.rpc import code_pb2

from gateway.envoy import Json
from gateway.problems import MEDIA_TYPE, members
from gateway.reasons import reasons
from mesh.contract import AccessKind, Idempotency, MethodPolicy

PROBLEM = "Problem"
ERROR = "Error"

_VIOLATION: Json = {
    "type": "object",
    "description": "What is wrong with one field.",
    "properties": {
        "field": {"type": "string", "description": "Path of the field, such as `lines[0].quantity`."},
        "description": {"type": "string", "description": "What is wrong with it, and what to send instead."},
        "reason": {"type": "string", "description": "The rule that it breaks, such as `STRING_UUID`."},
    },
    "required": ["field", "description"],
}
_DETAILS: Json = {
    "type": "array",
    "description": "`ErrorInfo` and `RequestInfo` always; `BadRequest` and `RetryInfo` where they apply.",
    "items": {
        "type": "object",
        "properties": {"@type": {"type": "string"}},
        "additionalProperties": True,
        "required": ["@type"],
    },
}
SCHEMA: Json = {
    "type": "object",
    "description": "What every error is: a problem (RFC 9457) that has the members of a google.rpc.Status too.",
    "properties": {
        "type": {"type": "string", "description": "`/docs#` and the reason; where a browser finds more about it."},
        "title": {"type": "string", "description": "The reason in words."},
        "status": {"type": "integer", "format": "int32", "description": "The HTTP status."},
        "detail": {"type": "string", "description": "What happened, for people to read; it may change."},
        "reason": {
            "type": "string",
            "pattern": "^[A-Z][A-Z0-9_]*$",
            "description": "What happened, for programs to look at; new ones may come.",
        },
        "errors": {"type": "array", "description": "The fields at fault, if any are.", "items": _VIOLATION},
        "code": {"type": "integer", "format": "int32", "description": "The google.rpc.Code, as gRPC clients see it."},
        "message": {"type": "string", "description": "The same as `detail`."},
        "details": _DETAILS,
    },
    "required": ["type", "title", "status", "detail", "reason", "code", "message"],
}
# What a method may answer with, by status: when, and an example.
STATUSES: dict[int, tuple[str, str, str, str]] = {
    400: (
        "The request is wrong, or what it is about is not in the state for it.",
        "INVALID_ARGUMENT", "INVALID_REQUEST", "lines[0].quantity: must be greater than 0",
    ),
    401: (
        "There is no token, or none that holds.",
        "UNAUTHENTICATED", "TOKEN_MISSING_OR_INVALID", "this call needs a token; see /docs",
    ),
    403: (
        "The token does not hold the permission.",
        "PERMISSION_DENIED", "PERMISSION_MISSING", "the token does not hold the permission that this call needs",
    ),
    404: (
        "There is no such thing, or it is somebody else's.",
        "NOT_FOUND", "ORDER_NOT_FOUND", "there is no order 0190f0a4-7c1e-7000-8000-000000000001",
    ),
    409: (
        "It is there already, or changes at this moment: read it again.",
        "ALREADY_EXISTS", "IDEMPOTENCY_KEY_REUSED", "the key was used for another request",
    ),
    412: (
        "It is not what `If-Match` says any more: read it again.",
        "ABORTED", "ORDER_CHANGED", "the order has changed meanwhile",
    ),
    413: (
        "The body is larger than the edge takes.",
        "OUT_OF_RANGE", "BODY_TOO_LARGE", "the request body is larger than the edge takes",
    ),
    429: (
        "Too many requests: `Retry-After` says when to go on.",
        "RESOURCE_EXHAUSTED", "RATE_LIMITED", "too many requests; see the header Retry-After",
    ),
    503: (
        "Not now: the same call may be repeated.",
        "UNAVAILABLE", "SERVICE_UNAVAILABLE", "the service is not available now; try again",
    ),
    504: (
        "It took too long. What the contract calls SAFE or IDEMPOTENT may be repeated.",
        "DEADLINE_EXCEEDED", "DEADLINE_EXCEEDED", "the service took too long; whether it acted is not known",
    ),
}  # fmt: skip
WAITING = (429, 503)
_VIOLATED = [{"field": "lines[0].quantity", "description": "must be greater than 0", "reason": "INT32_GT"}]


def schema() -> Json:
    """Give the schema of a problem, with all reasons there are."""
    known = [
        {"reason": each.name, "status": each.status, "code": each.code, "from": each.source, "when": each.sentence}
        for each in reasons()
    ]
    return SCHEMA | {"x-reasons": known}


def responses() -> Json:
    """Give the responses that operations refer to."""
    other = {"description": "Any other error.", "content": _content({"$ref": f"#/components/schemas/{PROBLEM}"})}
    return {ERROR: other} | {_name(status): _response(status) for status in STATUSES}


def responses_of(method: MethodPolicy, *, has_path: bool, has_body: bool, has_etag: bool) -> Json:
    """Refer to what a method may answer with besides 200."""
    found = _statuses(method, has_path=has_path, has_body=has_body, has_etag=has_etag)
    each = {str(status): {"$ref": f"#/components/responses/{_name(status)}"} for status in sorted(found)}
    return each | {"default": {"$ref": f"#/components/responses/{ERROR}"}}


def _statuses(method: MethodPolicy, *, has_path: bool, has_body: bool, has_etag: bool) -> Iterator[int]:
    yield from (400, 401, 429, 503, 504)
    if method.access.kind is AccessKind.PERMISSION:
        yield 403
    if has_path:
        yield 404
    if has_body:
        yield 413
    if method.idempotency is not Idempotency.SAFE:
        yield 409
    if has_etag:
        yield 412


def _name(status: int) -> str:
    return f"{PROBLEM}{status}"


def _response(status: int) -> Json:
    description, code, reason, detail = STATUSES[status]
    example = members(reason, status, detail) | {"code": code_pb2.Code.Value(code), "message": detail}
    if reason == "INVALID_REQUEST":
        example["errors"] = _VIOLATED
    content = _content({"$ref": f"#/components/schemas/{PROBLEM}"}, example)
    return {"description": description, "content": content} | (_RETRY_AFTER if status in WAITING else {})


def _content(schema: Json, example: Json | None = None) -> Json:
    return {MEDIA_TYPE: {"schema": schema} | ({"example": example} if example else {})}


_RETRY_AFTER: Json = {
    "headers": {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 0}}}
}
