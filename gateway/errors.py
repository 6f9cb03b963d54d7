"""The edge's own refusals in the one error shape of the system (problems.py).

Services send a google.rpc.Status, which the transcoder turns into JSON and problems.lua into the same shape. A client
of gRPC or gRPC-Web gets a gRPC status, which Envoy makes by itself, so these bodies are kept away from it; where the
words are known beforehand, it has the reason in its details, as that of a service has.
"""

import base64

from google.protobuf.any_pb2 import Any
from google.rpc import code_pb2, error_details_pb2
from google.rpc.status_pb2 import Status

from gateway.envoy import Json, extension, header
from gateway.problems import MEDIA_TYPE, members
from mesh.status import DETAILS_KEY

DOMAIN = "edge.ordermesh"
TOKEN_FILTER = "envoy.filters.http.jwt_authn"  # noqa: S105 - the name of a filter
NAME_FILTER = "envoy.filters.http.lua.names"
REVOKED_POLICY = "revoked"
TOKEN_FAILURE = "failure"  # noqa: S105 - the name of a field

# Envoy's words for what is wrong with a token, and the status it has for that -> the status they deserve, and better
# words. A token meant for others is no token at all (RFC 6750, section 3.1), and that auth has not told its keys yet is
# not the client's fault.
CORRECTED = {
    ("Jwt is missing", 401): (401, "this call needs a token; see /docs"),
    ("Jwt is expired", 401): (401, "the token has expired; get another with the refresh token"),
    ("Jwt verification fails", 401): (401, "the token was not signed by any of our keys"),
    ("Audiences in Jwt are not allowed", 403): (401, "the token is meant for another audience"),
    ("Jwks remote fetch is failed", 401): (503, "tokens cannot be checked yet; try again"),
}

# What was taken back before its end (revocations.py): reason, words, and what RFC 6750, section 3, has for it.
REVOKED = ("TOKEN_REVOKED", "the token was revoked, or its session has ended; log in again")
CHALLENGE = 'Bearer realm="ordermesh", error="invalid_token", error_description="revoked"'

# HTTP status -> canonical code (the mapping of google/rpc/code.proto, read backwards) and reason.
REFUSALS: dict[int, tuple[str, str]] = {
    400: ("INVALID_ARGUMENT", "MALFORMED_REQUEST"),
    401: ("UNAUTHENTICATED", "TOKEN_MISSING_OR_INVALID"),
    403: ("PERMISSION_DENIED", "PERMISSION_MISSING"),
    404: ("NOT_FOUND", "ROUTE_NOT_FOUND"),
    405: ("UNIMPLEMENTED", "METHOD_NOT_ALLOWED"),
    408: ("DEADLINE_EXCEEDED", "REQUEST_TOO_SLOW"),
    413: ("OUT_OF_RANGE", "BODY_TOO_LARGE"),
    415: ("INVALID_ARGUMENT", "MEDIA_TYPE_NOT_SUPPORTED"),
    429: ("RESOURCE_EXHAUSTED", "RATE_LIMITED"),
    431: ("OUT_OF_RANGE", "HEADERS_TOO_LARGE"),
    500: ("INTERNAL", "EDGE_FAILED"),
    502: ("UNAVAILABLE", "BAD_GATEWAY"),
    503: ("UNAVAILABLE", "SERVICE_UNAVAILABLE"),
    504: ("DEADLINE_EXCEEDED", "DEADLINE_EXCEEDED"),
}

# Over gRPC a path that nobody knows is UNIMPLEMENTED, as Envoy says by itself.
UNKNOWN_METHOD = 404

# Envoy's own words, which are none at all when a path or a header is so wrong that nothing was looked at.
OWN_WORDS = "the edge cannot take this request. %LOCAL_REPLY_BODY%"
# Where Envoy's own words would puzzle a client, or tell it about the inside.
MESSAGES = {
    401: "%LOCAL_REPLY_BODY%",
    415: "%LOCAL_REPLY_BODY%",
    403: "the token does not hold the permission that this call needs",
    404: "there is no such resource or method; see /docs",
    405: "the resource does not have this method; see the header Allow",
    413: "the request body is larger than the edge takes",
    429: "too many requests; see the header Retry-After",
    502: "the service gave no proper answer; try again",
    503: "the service is not available now; try again",
    504: "the service took too long; whether it acted is not known",
}


# When to come again after these; a rate limit says it by itself.
RETRY_AFTER = {502: "1", 503: "1"}


def local_replies() -> Json:
    """Build the `local_reply_config` of a listener. The first mapper that fits decides."""
    corrections = [mapper for failure in CORRECTED for mapper in _correction(*failure)]
    in_json, in_words = ([told(status) for status in REFUSALS] for told in (_mapper, _in_words))
    return {"mappers": [*corrections, *_revoked(), _wrong_field(), *in_json, *in_words, _any_other()]}


def _mapper(status: int) -> Json:
    told = [header("retry-after", RETRY_AFTER[status])] if status in RETRY_AFTER else []
    return {
        "filter": _all_of(_status("EQ", status), _not_grpc()),
        "body_format_override": _body(status, MESSAGES.get(status, OWN_WORDS)),
        "headers_to_add": told,
    }


def _in_words(status: int) -> Json:
    """Tell clients of gRPC the same code and sentence. Envoy's own code for 504 would be UNAVAILABLE: try again."""
    code, reason = ("UNIMPLEMENTED", "ROUTE_NOT_FOUND") if status == UNKNOWN_METHOD else REFUSALS[status]
    words = MESSAGES.get(status, OWN_WORDS)
    return {
        "filter": _status("EQ", status),
        "body_format_override": _text(words),
        "headers_to_add": [_grpc_status(code), *_grpc_details(code, reason, words)],
    }


def _correction(failure: str, came: int) -> tuple[Json, Json]:
    """Give a failure of the token check another status; over gRPC, where the body is the message, in words alone."""
    status, message = CORRECTED[failure, came]
    # The filter notes what is missing also where nothing is needed, and another one may have refused the call.
    failed = (_token_failed(failure), _status("EQ", came))
    return (
        {
            "filter": _all_of(*failed, _not_grpc()),
            "status_code": status,
            "body_format_override": _body(status, message),
        },
        {
            "filter": _all_of(*failed),
            "status_code": status,
            "body_format_override": _text(message),
            "headers_to_add": _grpc_details(*REFUSALS[status], message),
        },
    )


def _revoked() -> tuple[Json, Json]:
    """Tell a token that is refused by its table from one without the permission: the filter of both says 403."""
    reason, message = REVOKED
    status = 401
    code, _ = REFUSALS[status]
    challenge = header("www-authenticate", CHALLENGE)
    return (
        {
            "filter": _all_of(_denied_by(REVOKED_POLICY), _not_grpc()),
            "status_code": status,
            "body_format_override": _json(code, reason, status, message),
            "headers_to_add": [challenge],
        },
        {
            "filter": _denied_by(REVOKED_POLICY),
            "status_code": status,
            "body_format_override": _text(message),
            "headers_to_add": [challenge, *_grpc_details(code, reason, message)],
        },
    )


def _wrong_field() -> Json:
    """Name the field with which a JSON body was refused, as services do (names.lua)."""
    said = {key: f"%DYNAMIC_METADATA({NAME_FILTER}:{key})%" for key in ("field", "description", "reason", "message")}
    message = said.pop("message")
    matcher = {"filter": NAME_FILTER, "path": [{"key": "field"}], "value": {"present_match": True}}
    return {
        "filter": {"metadata_filter": {"matcher": matcher, "match_if_key_not_found": False}},
        "body_format_override": _json("INVALID_ARGUMENT", "INVALID_REQUEST", 400, message, said),
    }


def _any_other() -> Json:
    return {
        "filter": _all_of(_status("GE", 400), _not_grpc()),
        # Whatever it is, it is said with the status in the status line.
        "body_format_override": _json("UNKNOWN", "REFUSED_BY_EDGE", "%RESPONSE_CODE%", OWN_WORDS),
    }


def _body(status: int, message: str) -> Json:
    return _json(*REFUSALS[status], status, message)


def _json(code: str, reason: str, status: int | str, message: str, *violations: Json) -> Json:
    kind = "type.googleapis.com/google.rpc."
    details = [
        {"@type": f"{kind}ErrorInfo", "reason": reason, "domain": DOMAIN, "metadata": {}},
        {"@type": f"{kind}RequestInfo", "requestId": "%REQ(X-REQUEST-ID)%", "servingData": ""},
        *({"@type": f"{kind}BadRequest", "fieldViolations": [each]} for each in violations),
    ]
    return {
        "json_format": members(reason, status, message)
        | ({"errors": list(violations)} if violations else {})
        | {"code": code_pb2.Code.Value(code), "message": message, "details": details},
        "content_type": MEDIA_TYPE,
    }


def _text(message: str) -> Json:
    return {"text_format_source": {"inline_string": message}}


def _grpc_status(code: str) -> Json:
    return header("grpc-status", str(code_pb2.Code.Value(code)))


def _grpc_details(code: str, reason: str, message: str) -> list[Json]:
    """Say the reason as services do. Whoever reads it takes it for a fault if the message differs from the call's."""
    if "%" in message:
        return []
    detail = Any()
    detail.Pack(error_details_pb2.ErrorInfo(reason=reason, domain=DOMAIN))
    status = Status(code=code_pb2.Code.Value(code), message=message, details=[detail])
    return [header(DETAILS_KEY, base64.b64encode(status.SerializeToString(deterministic=True)).decode().rstrip("="))]


def _all_of(*filters: Json) -> Json:
    return {"and_filter": {"filters": list(filters)}}


def _status(operator: str, status: int) -> Json:
    value = {"default_value": status, "runtime_key": f"edge.local_reply.{operator.lower()}.{status}"}
    return {"status_code_filter": {"comparison": {"op": operator, "value": value}}}


def _not_grpc() -> Json:
    content_type = {
        "name": "content-type",
        "string_match": {"prefix": "application/grpc"},
        "invert_match": True,
        "treat_missing_header_as_empty": True,
    }
    # What the transcoder has turned into gRPC on the way still came as REST.
    transcoded = {"name": "x-envoy-original-path", "present_match": True}
    kinds = [{"header_filter": {"header": each}} for each in (content_type, transcoded)]
    return {"or_filter": {"filters": kinds}}


def _token_failed(message: str) -> Json:
    path = [{"key": TOKEN_FAILURE}, {"key": "message"}]
    matcher = {"filter": TOKEN_FILTER, "path": path, "value": {"string_match": {"exact": message}}}
    return {"metadata_filter": {"matcher": matcher, "match_if_key_not_found": False}}


def _denied_by(policy: str) -> Json:
    """Match what a policy of an RBAC filter refused, which only the details of the response tell."""
    expression = f"response.code_details == 'rbac_access_denied_matched_policy[{policy}]'"
    name = "envoy.access_loggers.extension_filters.cel"
    return {
        "extension_filter": extension(
            name, "envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter", expression=expression
        )
    }
