"""What consumers tell Prometheus."""

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

_HANDLING_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_LAG_SECONDS: Final = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 15.0, 60.0, 300.0, 3600.0)

CONSUMED = Counter(
    "ordermesh_consumer_events_total",
    "Events brought to their end: handled, duplicate, ignored, parked or replayed.",
    ("group", "topic", "outcome"),
)
RETRIED = Counter(
    "ordermesh_consumer_retries_total",
    "Further attempts at events: the handler met a transient fault, or the database was away.",
    ("group", "topic"),
)
PARKED = Gauge(
    "ordermesh_consumer_parked_events",
    "Events in a dead-letter topic that have not taken effect: failed ones, and ones waiting behind them.",
    ("group", "state"),
)
LAG = Histogram(
    "ordermesh_consumer_lag_seconds",
    "How long after an event happened its effect was committed.",
    ("group", "topic"),
    buckets=_LAG_SECONDS,
)
DURATION = Histogram(
    "ordermesh_consumer_handler_seconds",
    "How long the handler took for an event.",
    ("group", "topic"),
    buckets=_HANDLING_SECONDS,
)
