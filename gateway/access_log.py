"""One JSON object for each request, to stdout: never a query, a body, a token or a header that could hold one."""

from gateway.envoy import Json, extension
from gateway.errors import TOKEN_FILTER

FIELDS = {
    "timestamp": "%START_TIME(%Y-%m-%dT%H:%M:%S.%3fZ)%",
    "level": "info",
    "event": "request",
    "service": "edge",
    "request_id": "%REQ(X-REQUEST-ID)%",
    "traceparent": "%REQ(TRACEPARENT)%",
    "method": "%REQ(:METHOD)%",
    "path": "%PATH(NQ:ORIG_OR_PATH)%",
    "route": "%ROUTE_NAME%",
    "protocol": "%PROTOCOL%",
    "status": "%RESPONSE_CODE%",
    "grpc_status": "%GRPC_STATUS%",
    "details": "%RESPONSE_CODE_DETAILS%",
    "flags": "%RESPONSE_FLAGS%",
    "duration_ms": "%DURATION%",
    "attempts": "%UPSTREAM_REQUEST_ATTEMPT_COUNT%",
    "upstream": "%UPSTREAM_HOST%",
    "bytes_in": "%BYTES_RECEIVED%",
    "bytes_out": "%BYTES_SENT%",
    "user": f"%DYNAMIC_METADATA({TOKEN_FILTER}:payload:sub)%",
    "client": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
    "user_agent": "%REQ(USER-AGENT):200%",
}


def access_log() -> list[Json]:
    """Build the `access_log` of a listener."""
    stdout = "envoy.extensions.access_loggers.stream.v3.StdoutAccessLog"
    return [extension("envoy.access_loggers.stdout", stdout, log_format={"json_format": FIELDS})]
