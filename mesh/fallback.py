"""Doing without an answer that is only nice to have, and saying so: in the log, in the metrics, and in the answer.

Which calls may be done without is found by searching for `fallback(`; there is no other way.
"""

from collections.abc import Awaitable
from typing import TypeVar

from mesh import errors, metrics
from mesh.telemetry import get_logger

_log = get_logger(__name__)

T = TypeVar("T")
U = TypeVar("U")

AWAY = (errors.Unavailable, errors.DeadlineExceeded, errors.ResourceExhausted)
"""Another service can't answer at the moment. Any other error is an answer, or a defect, and stays one."""


async def fallback(call: Awaitable[T], otherwise: U, *, what: str, on: tuple[type[errors.Error], ...] = AWAY) -> T | U:
    """Wait for the call, but give `otherwise` when it fails by one of `on`. `what` is done without, for the metric."""
    try:
        return await call
    except on as failure:
        metrics.FALLBACKS.labels(what, failure.code).inc()
        _log.warning("done without", what=what, code=failure.code, reason=failure.reason, error=failure.message)
        return otherwise
