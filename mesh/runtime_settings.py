"""What a running process is told by a document in Consul's KV: its log level, how many traces it records, flags.

The document, `ordermesh/settings/<service>`, is an ordermesh.mesh.v1.ServiceSettings. One that breaks a rule changes
nothing; without one, what the process was started with holds.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

from google.protobuf.struct_pb2 import Value
from prometheus_client import Gauge

from mesh import documents, errors
from mesh.blocking_queries import keep_following
from mesh.errors import FieldViolation
from mesh.settings import MeshSettings
from mesh.telemetry import get_logger, set_log_level
from ordermesh.mesh.v1.service_settings_pb2 import LogLevel, ServiceSettings

_log = get_logger(__name__)

REJECTED = Gauge(
    "ordermesh_settings_rejected", "1 while the settings in Consul are not in force, because they break a rule."
)

V = TypeVar("V", bool, int, float, str)


class Flag(Generic[V]):
    """A feature flag, of the type of its default: `if new_sourcing(): …`."""

    def __init__(self, name: str, default: V) -> None:
        """Made by `RuntimeSettings.flag`."""
        self.name = name
        self.default: V = default
        self._value: V = default

    def __call__(self) -> V:
        """Give the value of this moment."""
        return self._value

    def set(self, value: V) -> None:
        """Let it have a value from now on."""
        self._value = value

    def read(self, value: Value) -> V:
        """Give a document's value. Raises InvalidArgument for one of another type."""
        found: Any = getattr(value, value.WhichOneof("kind") or "null_value")
        kind = type(self.default)
        if kind is int and isinstance(found, float) and found.is_integer():
            return kind(found)
        if type(found) is kind:
            return found
        field, description = f"flags[{self.name}]", f"must be of type {kind.__name__}, like its default {self.default}"
        raise errors.InvalidArgument(
            f"{field}: {description}", reason="FLAG_TYPE", violations=[FieldViolation(field, description, "FLAG_TYPE")]
        )


class RuntimeSettings:
    """The settings in force, and the flags that the process reads."""

    def __init__(self, settings: MeshSettings, sample: Callable[[float], None] = lambda _: None) -> None:
        """`settings` are those of the start; `sample` sets the share of traces to record."""
        self._start = settings
        self._sample = sample
        self._flags: dict[str, Flag[Any]] = {}
        self._now = ServiceSettings()

    def flag(self, name: str, default: V) -> Flag[V]:
        """Declare a flag. Raises ValueError for a name that was declared already."""
        if name in self._flags:
            raise ValueError(f"the flag {name} is declared twice")
        flag = self._flags[name] = Flag(name, default)
        return flag

    async def keep(self, stop: asyncio.Event) -> None:
        """Follow Consul until stopped; while it is away, what it said last holds."""
        path = f"/v1/kv/{documents.SETTINGS}{self._start.service}"
        await keep_following(self._start, path, self.hear, stop, missing=[])

    def hear(self, entries: Sequence[Mapping[str, Any]]) -> None:
        """Take in Consul's answer: an entry, or none where nothing is written."""
        document = documents.contents(entries, documents.SETTINGS).get(self._start.service, b"{}")
        try:
            told = documents.read(ServiceSettings, document)
            values = {name: self._value(flag, told) for name, flag in self._flags.items()}
        except errors.InvalidArgument as refusal:
            REJECTED.set(1)
            _log.error("settings rejected, the last good ones hold", reason=documents.complaint(refusal))
            return
        REJECTED.set(0)
        if told != self._now:
            self._apply(told, values)

    def _value(self, flag: Flag[Any], told: ServiceSettings) -> Any:  # noqa: ANN401 - the flag's own type
        return flag.read(told.flags[flag.name]) if flag.name in told.flags else flag.default

    def _apply(self, told: ServiceSettings, values: Mapping[str, Any]) -> None:
        level = LogLevel.Name(told.log_level) if told.log_level else self._start.log_level
        ratio = told.trace_sample_ratio if told.HasField("trace_sample_ratio") else self._start.trace_sample_ratio
        # A warning, because it should be read whatever the level becomes.
        _log.warning("settings changed", log_level=level, trace_sample_ratio=ratio, flags=values)
        set_log_level(level)
        self._sample(ratio)
        for name, value in values.items():
            self._flags[name].set(value)
        self._now = told
