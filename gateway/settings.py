"""The figures of edge.toml, checked: limits, rates, retries, origins."""

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PositiveInt, field_validator

from mesh.contract import RateClass

DEFAULT_FILE = Path(__file__).with_name("edge.toml")


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Limits(_Section):
    """What one client may ask of the edge at most."""

    max_body_bytes: PositiveInt
    max_header_kilobytes: PositiveInt
    max_headers: PositiveInt
    max_connections: PositiveInt
    handshake_seconds: PositiveInt
    headers_seconds: PositiveInt
    request_seconds: PositiveInt
    idle_seconds: PositiveInt


class Rate(_Section):
    """So many requests in so many seconds, and `burst` of them at once after a quiet time."""

    requests: PositiveInt
    seconds: PositiveInt
    burst: PositiveInt


class Overload(_Section):
    """When calls are refused because there are too many, and how much memory Envoy may take."""

    deadline_share: float = Field(gt=0, le=1)
    least_at_once: PositiveInt
    most_at_once: PositiveInt
    max_heap_megabytes: PositiveInt


class Cache(_Section):
    """Whether replies to public reads are kept, and how many."""

    enabled: bool
    max_bytes: PositiveInt
    max_entries: PositiveInt
    max_entry_bytes: PositiveInt


class Tokens(_Section):
    """How access tokens are checked."""

    clock_skew_seconds: NonNegativeInt
    keys_seconds: PositiveInt
    keys_timeout_seconds: PositiveInt
    keys_retry_seconds: PositiveInt


class Retries(_Section):
    """How often and how soon a failed call is tried again, where its contract allows it."""

    attempts: NonNegativeInt
    base_milliseconds: PositiveInt
    max_milliseconds: PositiveInt


class Cors(_Section):
    """Which web pages may call the API."""

    origins: tuple[str, ...]
    max_age_seconds: NonNegativeInt


class Security(_Section):
    """What browsers are told."""

    hsts_seconds: NonNegativeInt


class EdgeSettings(_Section):
    """All sections of edge.toml; `rates` is keyed by the names of the contract's rate classes."""

    limits: Limits
    rates: dict[str, Rate]
    overload: Overload
    cache: Cache
    tokens: Tokens
    retries: Retries
    cors: Cors
    security: Security

    @field_validator("rates")
    @classmethod
    def _one_for_each_class(cls, rates: dict[str, Rate]) -> dict[str, Rate]:
        wanted = [rate.name for rate in RateClass]
        if sorted(rates) != sorted(wanted):
            raise ValueError(f"rates must have one entry for each of {', '.join(wanted)}, and no other")
        return rates

    @classmethod
    def load(cls, file: Path = DEFAULT_FILE, overrides: Sequence[str] = ()) -> "EdgeSettings":
        """Read the file, then apply `section.key=value` overrides, their values in TOML's notation.

        Raises pydantic.ValidationError for an unknown or missing figure, tomllib.TOMLDecodeError for bad notation.
        """
        values = tomllib.loads(file.read_text())
        for override in overrides:
            _merge(values, tomllib.loads(override))
        return cls.model_validate(values)


def _merge(values: dict[str, Any], more: dict[str, Any]) -> None:
    for key, value in more.items():
        if isinstance(value, dict) and isinstance(values.get(key), dict):
            _merge(values[key], value)
        else:
            values[key] = value
