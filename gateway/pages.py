"""What Envoy answers by itself: the API page, the description of the API, and the refusals that belong to a path."""

from collections.abc import Mapping
from pathlib import Path

from gateway.envoy import TYPE_PREFIX, Json, headers
from gateway.errors import MESSAGES
from gateway.options import Options

PAGE_FOLDER = Path(__file__).with_name("page")
TRANSCODER = "envoy.filters.http.grpc_json_transcoder"
# The page loads its own files and talks to the edge it came from, and to nobody else.
PAGE_POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; frame-ancestors 'none'"
# Envoy refuses files that are larger than it was told.
LARGEST_PAGE_BYTES = 2_097_152
PAGES = {
    "/docs": ("index.html", "text/html; charset=utf-8"),
    "/docs/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/docs/page.css": ("page.css", "text/css; charset=utf-8"),
}


def page_routes(options: Options) -> list[Json]:
    """Build the routes of the API page, and the last one, which knows nothing."""
    return [
        _redirect("/"),
        _redirect("/docs/"),
        *(_file(path, PAGE_FOLDER / name, kind) for path, (name, kind) in PAGES.items()),
        _file("/openapi.json", options.files.openapi, "application/json"),
        reply({"prefix": "/"}, 404, MESSAGES[404]),
    ]


def reply(match: Json, status: int, body: str, more: Mapping[str, str] | None = None) -> Json:
    """Answer with a status and a sentence, which the listener's local replies make a google.rpc.Status."""
    return {
        "match": match,
        "direct_response": {"status": status, "body": {"inline_string": body}},
        "response_headers_to_add": headers(more or {}),
        "typed_per_filter_config": _as_it_is(),
    }


def _redirect(path: str) -> Json:
    return {"match": {"path": path}, "redirect": {"path_redirect": "/docs", "response_code": "FOUND"}} | {
        "typed_per_filter_config": _as_it_is()
    }


def _file(path: str, file: Path, content_type: str) -> Json:
    sent = {
        "content-type": content_type,
        "content-security-policy": PAGE_POLICY,
        "cache-control": "no-cache",
    }
    return {
        "match": {"path": path},
        "direct_response": {"status": 200, "body": {"filename": str(file)}},
        "response_headers_to_add": headers(sent),
        "typed_per_filter_config": _as_it_is(),
    }


def _as_it_is() -> Json:
    """The transcoder refuses paths that no contract has, and these are none of its business."""
    return {TRANSCODER: {"@type": TYPE_PREFIX + "envoy.config.route.v3.FilterConfig", "disabled": True}}
