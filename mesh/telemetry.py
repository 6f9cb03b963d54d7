"""Logs as JSON lines on standard output, each with the request id and the actor of the call it belongs to."""

import json
import logging
import sys
from typing import Any

import orjson
import structlog
from structlog.tracebacks import ExceptionDictTransformer
from structlog.typing import EventDict, FilteringBoundLogger, WrappedLogger

from mesh import context, log_output
from mesh.tracing import trace_id

_LEVELS = logging.getLevelNamesMapping()


def get_logger(name: str) -> FilteringBoundLogger:
    """Return a logger. `log.info("order moved", order_id=…)`: a constant sentence, then what it is about."""
    logger: FilteringBoundLogger = structlog.get_logger(origin=name)
    return logger


def configure_logging(level: str, service: str) -> None:
    """Set up the logs of this process, those of libraries too. Raises KeyError for an unknown level."""
    set_log_level(level)
    shared: list[Any] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        _Stamp(service),
        # Without the values of local variables: they may be secrets.
        structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=False)),
    ]
    structlog.configure(
        processors=[_threshold, *shared, structlog.processors.JSONRenderer(serializer=_json)],
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG),
        logger_factory=log_output.to(sys.stdout.buffer),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.getLogger().level, force=True)


def _json(line: EventDict, **_: object) -> bytes:
    """Write a line; what UTF-8 or 64 bits can't hold costs more than a line as it should be."""
    try:
        return orjson.dumps(line, default=repr)
    except TypeError:
        return json.dumps(line, default=repr).encode()


def set_log_level(level: str) -> None:
    """Write nothing below a level from now on, of libraries nothing below WARNING. Raises KeyError if it is none."""
    _threshold.level = _LEVELS[level.upper()]
    logging.getLogger().setLevel(max(_threshold.level, logging.WARNING))


class _Threshold:
    """Drops what is below the level. Loggers are made once, so that what they filter by themselves never changes."""

    level = logging.INFO

    def __call__(self, _logger: WrappedLogger, method: str, line: EventDict) -> EventDict:
        if structlog.processors.NAME_TO_LEVEL[method] < self.level:
            raise structlog.DropEvent
        return line


_threshold = _Threshold()


class _Stamp:
    """Adds what every line has: the service, and of the call being served its request, actor and trace."""

    def __init__(self, service: str) -> None:
        self._service = service

    def __call__(self, _logger: WrappedLogger, _method: str, line: EventDict) -> EventDict:
        line["service"] = self._service
        call = context.current()
        if call.request_id:
            line.setdefault("request_id", call.request_id)
            line.setdefault("actor", call.caller.actor)
        if present := trace_id():
            line["trace_id"] = present
        return line
