"""Prometheus metrics of calls, named by OpenTelemetry's semantic conventions for RPC."""

import functools
from typing import Final

from prometheus_client import Counter, Gauge, Histogram

SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1.0, 2.5, 5.0, 10.0)

SERVED = Histogram(
    "rpc_server_call_duration_seconds",
    "Calls answered by this process.",
    ("rpc_method", "rpc_response_status_code"),
    buckets=SECONDS,
)
MADE = Histogram(
    "rpc_client_call_duration_seconds",
    "Calls this process made.",
    ("rpc_method", "rpc_response_status_code"),
    buckets=SECONDS,
)
SERVING = Gauge("rpc_server_active_calls", "Calls being answered now.", ("rpc_method",))

RETRIES_REFUSED = Counter(
    "rpc_server_retries_refused_total", "Failed calls that callers were told not to try again: too many fail."
)
HEDGES = Counter(
    "rpc_client_hedges_total",
    "Second calls made because the first was late, by which of them answered; `none` could be afforded.",
    ("rpc_method", "answered"),
)
FALLBACKS = Counter(
    "rpc_client_fallbacks_total", "Answers that were done without, because the call failed.", ("what", "code")
)


# Looking a child up by its labels takes a lock and a tuple of strings; the few that exist are kept.


@functools.cache
def served(method: str, code: str) -> Histogram:
    """Give the histogram of answers with this code."""
    return SERVED.labels(method, code)


@functools.cache
def made(method: str, code: str) -> Histogram:
    """Give the histogram of calls that ended with this code."""
    return MADE.labels(method, code)


@functools.cache
def serving(method: str) -> Gauge:
    """Give the gauge of calls being answered."""
    return SERVING.labels(method)
