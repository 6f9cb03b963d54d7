"""Prometheus metrics of calls, named by OpenTelemetry's semantic conventions for RPC."""

import functools
from typing import Final

from prometheus_client import Gauge, Histogram

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
