"""The HTTP filters of the API's listeners, in the order in which a request meets them.

The transcoder comes last: everything before it sees REST as the client sent it, so refusals do too.
"""

from urllib.parse import urlsplit

from gateway import oauth, rates, tokens
from gateway.envoy import TYPE_PREFIX, Json, header, http_filter, typed
from gateway.options import Options

# What a client may call its request; anything else is replaced. UUIDs and the usual trace ids fit.
REQUEST_ID = "[A-Za-z0-9][A-Za-z0-9._~+/=-]{0,127}"
# Only the edge may say these: who calls, and how Envoy treats a call.
RESERVED_PREFIXES = ("x-ordermesh-", "x-envoy-")
HEALTH_PATH = "/healthz"
COMPRESSED = ("application/json", "text/html", "text/css", "text/javascript")
COMPRESSED_BYTES = 256

# The API answers JSON, which no browser should take for anything else, nor keep.
SECURITY_HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cache-control": "no-store",
}
# What the transcoder refuses instead of guessing; the last is a body that contradicts the path.
VALIDATIONS = ("reject_unknown_method", "reject_unknown_query_parameters", "reject_binding_body_field_collisions")
INTERNAL_HEADERS = ("x-envoy-upstream-service-time", "grpc-accept-encoding")


def api_filters(options: Options, *, secure: bool) -> list[Json]:
    """Build the chain of a listener; `secure` when it speaks https."""
    settings = options.settings
    return [
        _headers(settings.security.hsts_seconds if secure else 0),
        _request_id(),
        http_filter("cors", "cors.v3.Cors"),
        http_filter("grpc_web", "grpc_web.v3.GrpcWeb"),
        _health(),
        tokens.token_filter(options),
        tokens.permission_filter(),
        rates.rate_filter(settings),
        _csrf(settings.cors.origins),
        _body_limit(settings.limits.max_body_bytes),
        *(_compressor(kind, library) for kind, library in (("gzip", "Gzip"), ("brotli", "Brotli"))),
        http_filter("grpc_stats", "grpc_stats.v3.FilterConfig", stats_for_all_methods=True),
        oauth.reply_filter(),
        transcoder(options, print_defaults=True),
        router(),
    ]


def router() -> Json:
    """Send the request on. Nothing of Envoy's own is told to clients or services."""
    return http_filter("router", "router.v3.Router", suppress_envoy_headers=True)


def transcoder(options: Options, *, print_defaults: bool) -> Json:
    """Translate between REST and gRPC, errors included. JSON fields that a contract does not have are ignored."""
    largest = options.settings.limits.max_body_bytes
    return http_filter(
        "grpc_json_transcoder",
        "grpc_json_transcoder.v3.GrpcJsonTranscoder",
        proto_descriptor=str(options.files.descriptors),
        services=list(options.contract.services),
        convert_grpc_status=True,
        match_incoming_request_route=True,
        # A stream of answers is server-sent events, which browsers read by themselves.
        print_options={"always_print_primitive_fields": print_defaults, "stream_sse_style_delimited": True},
        request_validation_options=dict.fromkeys(VALIDATIONS, True),
        max_request_body_size=largest,
        max_response_body_size=8 * largest,
    )


def _headers(hsts_seconds: int) -> Json:
    """Take away what a client may not say, and tell browsers how to treat the reply."""
    sent = SECURITY_HEADERS | ({"strict-transport-security": f"max-age={hsts_seconds}"} if hsts_seconds else {})
    removed = [{"remove_on_match": {"key_matcher": {"prefix": prefix}}} for prefix in RESERVED_PREFIXES]
    added = [{"append": header(name, value, "ADD_IF_ABSENT")} for name, value in sent.items()]
    hidden = [{"remove": name} for name in INTERNAL_HEADERS]
    return http_filter(
        "header_mutation",
        "header_mutation.v3.HeaderMutation",
        mutations={"request_mutations": removed, "response_mutations": [*hidden, *added]},
    )


def _request_id() -> Json:
    """Replace a request id that is unfit for logs; the connection manager has given one where there was none."""
    fresh = http_filter(
        "header_mutation",
        "header_mutation.v3.HeaderMutation",
        mutations={"request_mutations": [{"append": header("x-request-id", "%UNIQUE_ID%")}]},
    )
    return _skipped_when("envoy.filters.http.request_id", fresh, "x-request-id", REQUEST_ID)


def _health() -> Json:
    """Answer load balancers: 200, or 503 while the edge is being drained."""
    path = {"name": ":path", "string_match": {"exact": HEALTH_PATH}}
    return http_filter("health_check", "health_check.v3.HealthCheck", pass_through_mode=False, headers=[path])


def _csrf(origins: tuple[str, ...]) -> Json:
    """Refuse foreign pages where a cookie is sent. Nothing of ours sets one, but a proxy in front may use them."""
    allowed = [{"exact": urlsplit(origin).netloc} for origin in origins]
    policy = http_filter(
        "csrf",
        "csrf.v3.CsrfPolicy",
        filter_enabled={"default_value": {"numerator": 100, "denominator": "HUNDRED"}},
        additional_origins=allowed,
    )
    return _skipped_when("envoy.filters.http.csrf", policy, "cookie", "", absent=True)


def _body_limit(largest: int) -> Json:
    return http_filter("body_size_limit", "body_size_limit.v3.BodySizeLimit", max_request_bytes=largest)


def _compressor(kind: str, library: str) -> Json:
    return {
        "name": f"envoy.filters.http.compressor.{kind}",
        "typed_config": typed(
            "envoy.extensions.filters.http.compressor.v3.Compressor",
            response_direction_config={
                "common_config": {
                    "min_content_length": COMPRESSED_BYTES,
                    "content_type_matcher": [{"prefix": each} for each in COMPRESSED],
                }
            },
            compressor_library={
                "name": kind,
                "typed_config": typed(f"envoy.extensions.compression.{kind}.compressor.v3.{library}"),
            },
        ),
    }


def _skipped_when(name: str, inner: Json, header_name: str, regex: str, *, absent: bool = False) -> Json:
    """Wrap a filter so that it is skipped when a header matches as a whole, or when it is `absent`."""
    read = typed("envoy.type.matcher.v3.HttpRequestHeaderMatchInput", header_name=header_name)
    predicate: Json = {
        "single_predicate": {
            "input": {"name": header_name, "typed_config": read},
            "value_match": {"safe_regex": {"google_re2": {}, "regex": ".+" if absent else regex}},
        }
    }
    skip = {"name": "skip", "typed_config": typed("envoy.extensions.filters.common.matcher.action.v3.SkipFilter")}
    matcher = {
        "predicate": {"not_matcher": predicate} if absent else predicate,
        "on_match": {"action": skip},
    }
    return {
        "name": name,
        "typed_config": {
            "@type": TYPE_PREFIX + "envoy.extensions.common.matching.v3.ExtensionWithMatcher",
            "extension_config": inner,
            "xds_matcher": {"matcher_list": {"matchers": [matcher]}},
        },
    }
