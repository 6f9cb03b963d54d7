"""What Envoy answers by itself: the API page, the description of the API, and the refusals that belong to a path."""

from collections.abc import Mapping
from pathlib import Path

from gateway.envoy import TYPE_PREFIX, Json, headers
from gateway.errors import MESSAGES
from gateway.options import Options

PAGE_FOLDER = Path(__file__).with_name("page")
TRANSCODER = "envoy.filters.http.grpc_json_transcoder"
# The page loads its own files and talks to the edge it came from, and to nobody else.
# Should the script not load, no form may put a password into an address.
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)
# Envoy refuses files that are larger than it was told.
LARGEST_PAGE_BYTES = 2_097_152
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
}
INDEX = "index.html"
# Everything that the page is made of.
FILES = (INDEX, "page.css", "page.js", "contract.js", "nodes.js", "session.js", "trial.js")


def page_routes(options: Options) -> list[Json]:
    """Build the routes of the API page, and the last one, which knows nothing."""
    return [
        _redirect("/"),
        _redirect("/docs/"),
        *(_file(_path(name), options.files.folder / name, TYPES[Path(name).suffix]) for name in FILES),
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


def _path(name: str) -> str:
    return "/docs" if name == INDEX else f"/docs/{name}"


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
