"""The routes of the API: REST paths and gRPC path of each method that is not internal, with all its contract says.

What is not routed here does not exist for the outside.
"""

from collections.abc import Iterable, Iterator
from datetime import timedelta

from gateway import cache, conditions, events, names, oauth, overload, rates, revocations, tokens
from gateway.envoy import Json, duration, header_match
from gateway.errors import MESSAGES
from gateway.filters import uncompressed
from gateway.options import Options
from gateway.pages import reply
from gateway.paths import PathTemplate, query_regex
from gateway.retries import retry_policy
from mesh.contract import HttpBinding, MethodPolicy
from mesh.headers import CLAIMS

# A service ends a call at its deadline and can say more about it than the edge, so the edge waits a little longer.
MARGIN = timedelta(milliseconds=250)
GRPC = "application/grpc"
# The transcoder would hand gRPC that comes on a REST path on as it is.
NOT_GRPC = header_match("content-type", prefix=GRPC) | {"invert_match": True, "treat_missing_header_as_empty": True}
# Whose replies hold tokens (BREACH, https://www.breachattack.com).
SECRET = ("auth",)
NOWHERE = "nowhere"


def api_routes(options: Options) -> list[Json]:
    """Build all routes, in the order in which Envoy tries them."""
    methods = [each for each in options.contract.methods if each.access.is_routed]
    return [_preflight(), _packed(), *_grpc_routes(methods, options), *_rest_routes(methods, options)]


def _preflight() -> Json:
    """Let the CORS filter answer: it needs a route to a cluster, which what it does not answer never reaches."""
    asked = ({"name": name, "present_match": True} for name in ("origin", "access-control-request-method"))
    return {
        "match": {"prefix": "/", "headers": [header_match(":method", exact="OPTIONS"), *asked]},
        "route": {"cluster": NOWHERE, "cluster_not_found_response_code": "NOT_FOUND"},
    }


def _packed() -> Json:
    """Refuse compressed bodies: nothing is unpacked here, so that a few bytes can't become gigabytes."""
    packed = {"name": "content-encoding", "string_match": {"exact": "identity"}, "invert_match": True}
    words = "send the body without Content-Encoding"
    return reply({"prefix": "/", "headers": [packed, NOT_GRPC]}, 415, words, {"accept-encoding": "identity"})


def _grpc_routes(methods: Iterable[MethodPolicy], options: Options) -> Iterator[Json]:
    """Route gRPC and gRPC-Web, which a content type tells; with any other the path exists but cannot be talked to."""
    for method in methods:
        is_grpc = header_match("content-type", prefix=GRPC)
        yield _route(method, {"path": method.full_name, "headers": [is_grpc]}, options)
        yield reply({"path": method.full_name}, 415, f"send gRPC or gRPC-Web ({GRPC}); REST paths are in /docs")


def _rest_routes(methods: Iterable[MethodPolicy], options: Options) -> Iterator[Json]:
    """Route REST; a path that exists refuses the verbs it does not have and names those it has."""
    by_path: dict[PathTemplate, dict[str, tuple[MethodPolicy, HttpBinding]]] = {}
    for method in methods:
        for binding in method.bindings:
            by_path.setdefault(PathTemplate(binding.path), {})[binding.verb] = method, binding
    for path in sorted(by_path, key=lambda each: each.precedence):
        if path.variables:
            yield _unambiguous(path)
        for verb, (method, binding) in by_path[path].items():
            match = path.match | {"headers": [header_match(":method", exact=verb), NOT_GRPC]}
            yield _adapted(_rest_route(method, match, options), method, binding, options)
        allow = ", ".join(sorted(by_path[path]))
        yield reply(path.match | {"headers": [NOT_GRPC]}, 405, MESSAGES[405], {"allow": allow})


def _unambiguous(path: PathTemplate) -> Json:
    """Refuse a query that names a field of the path: the transcoder would believe the query, logs the path."""
    named = {"name": ":path", "string_match": {"safe_regex": {"regex": query_regex(path.variables)}}}
    words = f"{path.variables[-1]} is in the path and has no place in the query"
    return reply(path.match | {"headers": [NOT_GRPC, named]}, 400, words)


def _rest_route(method: MethodPolicy, match: Json, options: Options) -> Json:
    """Route REST as gRPC, and keep replies where the contract allows it: gRPC has no words for that."""
    route = _route(method, match, options)
    if not cache.keeps(method, options):
        return route
    return route | {
        "metadata": {"filter_metadata": {**route["metadata"]["filter_metadata"], **cache.metadata(method)}},
        "typed_per_filter_config": {**route["typed_per_filter_config"], **cache.kept()},
        "request_headers_to_remove": [CLAIMS],
    }


def _adapted(route: Json, method: MethodPolicy, binding: HttpBinding, options: Options) -> Json:
    """Give a REST route what is special about it."""
    route = names.checked(route, method, binding, options)
    route = conditions.conditional(route, method, binding, options)
    return oauth.adapted(events.told(route, method), method)


def _route(method: MethodPolicy, match: Json, options: Options) -> Json:
    # A stream may have nothing to say for long; other calls are bounded by their deadline, far below the listener's.
    idle = {"idle_timeout": duration(method.deadline + MARGIN)} if method.server_streaming else {}
    return {
        "name": method.full_name,
        "match": match,
        "metadata": rates.metadata(method.rate),
        "route": {
            "cluster": method.domain,
            "timeout": duration(method.deadline + MARGIN),
            **idle,
            "retry_policy": retry_policy(method.idempotency, options.settings.retries),
        },
        "typed_per_filter_config": {
            **tokens.demands(method.access),
            **revocations.demands(method.access),
            **overload.counted(method),
            **(uncompressed() if method.domain in SECRET else {}),
        },
    }
