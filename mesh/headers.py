"""The names of the headers that travel with calls, in the lower case that gRPC metadata wants."""

REQUEST_ID = "x-request-id"
"""One id for everything a request causes; in every reply, log line and event."""

IDEMPOTENCY_KEY = "idempotency-key"
"""By which a repeated request is known (the IETF draft of the same name); an alternative to `request_id` fields."""

CLAIMS = "x-ordermesh-claims"
"""The payload of the end user's verified JWT, base64url. Believed only beside a PEER_TOKEN."""

PEER = "x-ordermesh-peer"
"""Name of the calling process: a service, or EDGE."""

PEER_TOKEN = "x-ordermesh-peer-token"  # noqa: S105 - the name of a header
"""The install's secret, which only its own processes know."""

TRACEPARENT = "traceparent"
"""W3C Trace Context."""

EDGE = "edge"
"""What the edge calls itself in PEER. It speaks for end users and never for itself."""
