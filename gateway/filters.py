"""The HTTP filters of the API's listeners, in the order in which a request meets them.

The transcoder comes last: everything before it sees REST as the client sent it, so refusals do too.
"""

from collections.abc import Mapping
from urllib.parse import urlsplit

from gateway import cache, conditions, events, names, overload, rates, revocations, shared_rates, tokens
from gateway.envoy import HTTP_FILTERS, TYPE_PREFIX, Json, header, http_filter, typed
from gateway.options import Options
from gateway.problems import problem_filter
from mesh.headers import SESSION_COOKIE

# What a client may call its request; anything else is replaced. UUIDs and the usual trace ids fit.
REQUEST_ID = "[A-Za-z0-9][A-Za-z0-9._~+/=-]{0,127}"
# Only the edge may say these: who calls, and how Envoy treats a call.
RESERVED_PREFIXES = ("x-ordermesh-", "x-envoy-")
# What gRPC cannot read it answers with INTERNAL, for which an instance is put out of the mesh: any client could do that
# to all of them. So names outside of gRPC's alphabet, binary metadata, which no service of ours reads, and what gRPC
# says to itself never get that far.
UNREADABLE = (
    {"safe_regex": {"regex": "(?:[^:].*)?[^0-9a-z_.:-].*"}},
    {"suffix": "-bin"},
    {"prefix": "grpc-internal-"},
    {"exact": "grpc-previous-rpc-attempts"},
)
# … nor do these, but as gRPC writes them.
WELL_FORMED = {"grpc-timeout": "[0-9]{1,8}[HMSmun]", "grpc-encoding": "identity|gzip|deflate"}
# A session's cookie among others, however they are joined.
SESSION = f"(?s).*{SESSION_COOKIE}=.*"
ALT_SVC_SECONDS = 86_400
HEALTH_PATH = "/healthz"
COMPRESSED = ("application/json", "application/problem+json", "text/html", "text/css", "text/javascript")
COMPRESSED_BYTES = 256
# Where a client takes several alike, as browsers do, it gets the one that costs least for what it saves.
PREFERRED = "zstd"
COMPRESSOR = "envoy.filters.http.compressor"
COMPRESSORS = {"gzip": "Gzip", "brotli": "Brotli", "zstd": "Zstd"}
# Envoy's names for what RateLimit headers say (draft-ietf-httpapi-ratelimit-headers-03).
RATE_HEADERS = ("limit", "remaining", "reset")

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
        _headers(_told(options, secure=secure)),
        _request_id(),
        *(_only(name, form) for name, form in WELL_FORMED.items()),
        http_filter("cors", "cors.v3.Cors"),
        http_filter("grpc_web", "grpc_web.v3.GrpcWeb"),
        _health(),
        tokens.token_filter(options),
        *revocations.revocation_filters(options),
        tokens.permission_filter(),
        rates.rate_filter(),
        *shared_rates.shared_filter(options),
        _csrf(settings.cors.origins),
        _body_limit(settings.limits.max_body_bytes),
        names.name_filter(options),
        *overload.concurrency_filters(options),
        *(_compressor(kind, library) for kind, library in COMPRESSORS.items()),
        http_filter("grpc_stats", "grpc_stats.v3.FilterConfig", stats_for_all_methods=True),
        problem_filter(),
        *conditions.condition_filters(),
        cache.cache_filter(options),
        *events.event_filters(),
        transcoder(options, print_defaults=True),
        router(),
    ]


def router() -> Json:
    """Send the request on. Nothing of Envoy's own is told to clients or services."""
    return http_filter("router", "router.v3.Router", suppress_envoy_headers=True)


def transcoder(options: Options, *, print_defaults: bool) -> Json:
    """Translate between REST and gRPC, errors included."""
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


def _told(options: Options, *, secure: bool) -> dict[str, str]:
    """Say what every reply tells browsers; over an encrypted connection also that there is HTTP/3."""
    hsts = options.settings.security.hsts_seconds
    told = SECURITY_HEADERS | ({"alt-svc": f'h3=":{options.ports.https}"; ma={ALT_SVC_SECONDS}'} if secure else {})
    return told | ({"strict-transport-security": f"max-age={hsts}"} if secure and hsts else {})


def _headers(sent: Mapping[str, str]) -> Json:
    """Take away what a client may not say, and tell browsers how to treat the reply."""
    unwanted = [*({"prefix": prefix} for prefix in RESERVED_PREFIXES), *UNREADABLE]
    removed = [{"remove_on_match": {"key_matcher": each}} for each in unwanted]
    added = [{"append": header(name, value, "ADD_IF_ABSENT")} for name, value in sent.items()]
    hidden = [{"remove": name} for name in INTERNAL_HEADERS]
    renamed = [step for name in RATE_HEADERS for step in _renamed(f"x-ratelimit-{name}", f"ratelimit-{name}")]
    renamed += _renamed(conditions.PASSING, "etag")
    return http_filter(
        "header_mutation",
        "header_mutation.v3.HeaderMutation",
        mutations={"request_mutations": removed, "response_mutations": [*hidden, *renamed, *added]},
    )


def _renamed(old: str, new: str) -> tuple[Json, Json]:
    return {"append": header(new, f"%RESP({old})%")}, {"remove": old}


def _request_id() -> Json:
    """Replace a request id that is unfit for logs; the connection manager has given one where there was none."""
    fresh = http_filter(
        "header_mutation",
        "header_mutation.v3.HeaderMutation",
        mutations={"request_mutations": [{"append": header("x-request-id", "%UNIQUE_ID%")}]},
    )
    return _unless("envoy.filters.http.request_id", fresh, _matches("x-request-id", REQUEST_ID))


def _only(name: str, form: str) -> Json:
    """Drop a header that has another form."""
    drop = http_filter(
        "header_mutation", "header_mutation.v3.HeaderMutation", mutations={"request_mutations": [{"remove": name}]}
    )
    return _unless(f"envoy.filters.http.{name}", drop, _matches(name, form))


def _health() -> Json:
    """Answer load balancers: 200, or 503 while the edge is being drained."""
    path = {"name": ":path", "string_match": {"exact": HEALTH_PATH}}
    return http_filter("health_check", "health_check.v3.HealthCheck", pass_through_mode=False, headers=[path])


def _csrf(origins: tuple[str, ...]) -> Json:
    """Refuse foreign pages where the cookie of a session is sent, which browsers do without being asked."""
    allowed = [{"exact": urlsplit(origin).netloc} for origin in origins]
    policy = http_filter(
        "csrf",
        "csrf.v3.CsrfPolicy",
        filter_enabled={"default_value": {"numerator": 100, "denominator": "HUNDRED"}},
        additional_origins=allowed,
    )
    return _unless("envoy.filters.http.csrf", policy, {"not_matcher": _matches("cookie", SESSION)})


def _body_limit(largest: int) -> Json:
    return http_filter("body_size_limit", "body_size_limit.v3.BodySizeLimit", max_request_bytes=largest)


def uncompressed() -> Json:
    """Give the filter settings of a route whose replies hold secrets: the length of what is packed tells of them."""
    per_route = typed(f"{HTTP_FILTERS}compressor.v3.CompressorPerRoute", disabled=True)
    return {f"{COMPRESSOR}.{kind}": per_route for kind in COMPRESSORS}


def _compressor(kind: str, library: str) -> Json:
    return {
        "name": f"{COMPRESSOR}.{kind}",
        "typed_config": typed(
            "envoy.extensions.filters.http.compressor.v3.Compressor",
            response_direction_config={
                "common_config": {
                    "min_content_length": COMPRESSED_BYTES,
                    "content_type_matcher": [{"prefix": each} for each in COMPRESSED],
                }
            },
            choose_first=kind == PREFERRED,
            compressor_library={
                "name": kind,
                "typed_config": typed(f"envoy.extensions.compression.{kind}.compressor.v3.{library}"),
            },
        ),
    }


def _unless(name: str, inner: Json, predicate: Json) -> Json:
    """Wrap a filter so that it is skipped when the predicate holds."""
    skip = {"name": "skip", "typed_config": typed("envoy.extensions.filters.common.matcher.action.v3.SkipFilter")}
    matcher = {"predicate": predicate, "on_match": {"action": skip}}
    return {
        "name": name,
        "typed_config": {
            "@type": TYPE_PREFIX + "envoy.extensions.common.matching.v3.ExtensionWithMatcher",
            "extension_config": inner,
            "xds_matcher": {"matcher_list": {"matchers": [matcher]}},
        },
    }


def _matches(header_name: str, regex: str) -> Json:
    """Match a request header as a whole."""
    read = typed("envoy.type.matcher.v3.HttpRequestHeaderMatchInput", header_name=header_name)
    return {
        "single_predicate": {
            "input": {"name": header_name, "typed_config": read},
            "value_match": {"safe_regex": {"google_re2": {}, "regex": regex}},
        }
    }
