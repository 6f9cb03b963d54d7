"""What Envoy would do with a request, as far as routes decide: the first one that matches by path, verb and headers."""

import re
from collections.abc import Iterable, Mapping

from gateway.envoy import Json


def first_match(
    routes: Iterable[Json], path: str, verb: str = "POST", headers: Mapping[str, str] | None = None
) -> Json | None:
    """Choose as envoy.config.route.v3.RouteMatch says."""
    sent = {":method": verb, ":path": path, **(headers or {})}
    return next((route for route in routes if _matches(route["match"], path.partition("?")[0], sent)), None)


def _matches(match: Json, path: str, sent: Mapping[str, str]) -> bool:
    return _path_matches(match, path) and all(_header_matches(each, sent) for each in match.get("headers", ()))


def _path_matches(match: Json, path: str) -> bool:
    if "safe_regex" in match:
        return re.fullmatch(match["safe_regex"]["regex"], path) is not None
    return path == match["path"] if "path" in match else path.startswith(match["prefix"])


def _header_matches(match: Json, sent: Mapping[str, str]) -> bool:
    value = sent.get(match["name"], "" if match.get("treat_missing_header_as_empty") else None)
    if value is None:
        return False
    if match.get("present_match"):
        return match["name"] in sent
    wanted = match["string_match"]
    if "safe_regex" in wanted:
        return re.fullmatch(wanted["safe_regex"]["regex"], value) is not None
    found = value == wanted["exact"] if "exact" in wanted else value.startswith(wanted["prefix"])
    return found is not match.get("invert_match", False)
