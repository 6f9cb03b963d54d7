"""The notation of Envoy's configuration: typed extensions, durations, addresses and header changes."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

Json = dict[str, Any]

TYPE_PREFIX = "type.googleapis.com/"
HTTP_FILTERS = "envoy.extensions.filters.http."
HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"


def typed(type_name: str, **fields: Any) -> Json:  # noqa: ANN401 - any JSON value
    """Name the type of a message, as Envoy wants it wherever an extension is configured."""
    return {"@type": TYPE_PREFIX + type_name, **fields}


def extension(name: str, type_name: str, **fields: Any) -> Json:  # noqa: ANN401 - any JSON value
    """Configure an extension."""
    return {"name": name, "typed_config": typed(type_name, **fields)}


def http_filter(name: str, message: str, **fields: Any) -> Json:  # noqa: ANN401 - any JSON value
    """Configure an HTTP filter; `message` is relative to the package of all HTTP filters, as in `cors.v3.Cors`."""
    return extension(f"envoy.filters.http.{name}", HTTP_FILTERS + message, **fields)


def lua(name: str, source: str, *, disabled: bool = False) -> Json:
    """Configure a script as an HTTP filter of this full name; a disabled one runs where a route switches it on."""
    filtering = extension(name, f"{HTTP_FILTERS}lua.v3.Lua", default_source_code={"inline_string": source})
    return filtering | {"disabled": True} if disabled else filtering


def switched_on(*filters: str) -> Json:
    """Give the filter settings of a route that switches on filters which are disabled."""
    on = typed("envoy.config.route.v3.FilterConfig", config={})
    return dict.fromkeys(filters, on)


def duration(value: timedelta) -> str:
    """Write a duration the way protobuf's JSON mapping does."""
    return f"{value.total_seconds():.9g}s"


def socket(host: str, port: int) -> Json:
    """Address of a TCP port."""
    return {"socket_address": {"address": host, "port_value": port}}


def header(name: str, value: str, action: str = "OVERWRITE_IF_EXISTS_OR_ADD") -> Json:
    """Set a header."""
    return {"header": {"key": name, "value": value}, "append_action": action}


def headers(values: Mapping[str, str], action: str = "OVERWRITE_IF_EXISTS_OR_ADD") -> list[Json]:
    """Set several headers."""
    return [header(name, value, action) for name, value in values.items()]


def header_match(name: str, **match: str) -> Json:
    """Match a request header by `exact=`, `prefix=` or `suffix=`."""
    return {"name": name, "string_match": match}
