"""The names of the headers that travel with calls, in the lower case that gRPC metadata wants."""

REQUEST_ID = "x-request-id"
"""One id for everything a request causes; in every reply, log line and event."""

IDEMPOTENCY_KEY = "idempotency-key"
"""By which a repeated request is known (the IETF draft of the same name); an alternative to `request_id` fields."""

IF_MATCH = "if-match"
"""The etag that what is to be changed must still have (RFC 9110, section 13.1.1); an alternative to `etag` fields."""

CLAIMS = "x-ordermesh-claims"
"""The payload of the end user's verified JWT, base64url. Believed from those that an intention lets act for users."""

AUTHORIZATION = "x-ordermesh-authorization"
"""The header Authorization as it came, for methods that judge it themselves; all others never see it."""

REPLY_STATUS = "x-ordermesh-status"
"""The HTTP status that such a method wants its reply to have."""

SESSION_COOKIE = "ordermesh_session"
"""The cookie in which browsers may carry the access token instead of a header that a script would have to set."""

TRACEPARENT = "traceparent"
"""W3C Trace Context."""

PREVIOUS_ATTEMPTS = "grpc-previous-rpc-attempts"
"""How often gRPC has made this call before; absent from the first attempt (gRFC A6)."""

RETRY_PUSHBACK = "grpc-retry-pushback-ms"
"""By which a server tells gRPC when to try again; below zero, not at all (gRFC A6)."""

EDGE = "edge"
"""The service name in the edge's certificate. It speaks for end users and never for itself."""

OPERATOR = "operator"
"""The service name in the certificate of whoever looks after the mesh; it is shown what processes believe."""
