"""The names of the headers that travel with calls, in the lower case that gRPC metadata wants."""

REQUEST_ID = "x-request-id"
"""One id for everything a request causes; in every reply, log line and event."""

IDEMPOTENCY_KEY = "idempotency-key"
"""By which a repeated request is known (the IETF draft of the same name); an alternative to `request_id` fields."""

CLAIMS = "x-ordermesh-claims"
"""The payload of the end user's verified JWT, base64url. Believed from members of the mesh only."""

TRACEPARENT = "traceparent"
"""W3C Trace Context."""

EDGE = "edge"
"""The service name in the edge's certificate. It speaks for end users and never for itself."""

OPERATOR = "operator"
"""The service name in the certificate of whoever looks after the mesh; it is shown what processes believe."""
