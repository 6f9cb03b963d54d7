"""Where the edge listens: http and https for clients, both with the whole API, and its own way to auth's keys."""

from gateway.access_log import access_log
from gateway.envoy import HTTP_FILTERS, Json, extension, socket, typed
from gateway.errors import local_replies
from gateway.filters import api_filters, router, transcoder
from gateway.options import Options
from gateway.pages import LARGEST_PAGE_BYTES, page_routes
from gateway.routes import api_routes
from gateway.tokens import KEYS_PATH
from mesh import headers as names

MANAGER = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
BUFFER_BYTES = 1_048_576
STREAMS_PER_CONNECTION = 100
CORS_VERBS = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
CORS_REQUEST_HEADERS = (
    "authorization", "content-type", names.IDEMPOTENCY_KEY, names.IF_MATCH, names.REQUEST_ID, names.TRACEPARENT,
    "x-grpc-web", "x-user-agent", "grpc-timeout",
)  # fmt: skip
CORS_REPLY_HEADERS = (
    names.REQUEST_ID, "grpc-status", "grpc-message", "grpc-status-details-bin", "retry-after",
    "x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset",
)  # fmt: skip


def listeners(options: Options) -> list[Json]:
    """Build all listeners."""
    return [
        _listener("http", options.ports.http, options, {"filters": [_api(options, "http")]}),
        _listener("https", options.ports.https, options, {"filters": [_api(options, "https")]} | _tls(options)),
        _listener("keys", options.ports.keys, options, {"filters": [_keys(options)]}),
    ]


def _listener(name: str, port: int, options: Options, chain: Json) -> Json:
    return {
        "name": name,
        "address": socket(options.host, port),
        "filter_chains": [chain],
        "per_connection_buffer_limit_bytes": BUFFER_BYTES,
    }


def _tls(options: Options) -> Json:
    pair = {
        "certificate_chain": {"filename": str(options.files.certificate)},
        "private_key": {"filename": str(options.files.private_key)},
    }
    context = {
        "alpn_protocols": ["h2", "http/1.1"],
        "tls_params": {"tls_minimum_protocol_version": "TLSv1_2"},
        "tls_certificates": [pair],
    }
    downstream = "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext"
    return {"transport_socket": extension("envoy.transport_sockets.tls", downstream, common_tls_context=context)}


def _api(options: Options, name: str) -> Json:
    return _manager(
        name,
        options,
        http_filters=api_filters(options, secure=name == "https"),
        route_config=_api_route_config(options),
        access_log=access_log(),
        local_reply_config=local_replies(),
        request_id_extension={"typed_config": _request_ids()},
        preserve_external_request_id=True,
        always_set_request_id_in_response=True,
        use_remote_address=True,
        # Nobody outside is trusted to steer Envoy, be it from this machine.
        internal_address_config={"unix_sockets": False},
        http2_protocol_options={"max_concurrent_streams": STREAMS_PER_CONNECTION},
    )


def _manager(name: str, options: Options, **fields: object) -> Json:
    limits = options.settings.limits
    common = {
        "stat_prefix": name,
        "server_name": "ordermesh",
        "normalize_path": True,
        "merge_slashes": True,
        "path_with_escaped_slashes_action": "REJECT_REQUEST",
        "request_headers_timeout": f"{limits.headers_seconds}s",
        "request_timeout": f"{limits.request_seconds}s",
        "stream_idle_timeout": f"{limits.idle_seconds}s",
        "common_http_protocol_options": {
            "idle_timeout": f"{limits.idle_seconds}s",
            "headers_with_underscores_action": "REJECT_REQUEST",
        },
    }
    return extension("envoy.filters.network.http_connection_manager", MANAGER, **common, **fields)


def _request_ids() -> Json:
    """Leave the ids of clients as they are: no bits of tracing are kept in them."""
    return typed(
        "envoy.extensions.request_id.uuid.v3.UuidRequestIdConfig",
        pack_trace_reason=False,
        use_request_id_for_trace_sampling=False,
    )


def _api_route_config(options: Options) -> Json:
    """Route the API and the pages; nothing that a client logs in with goes to services."""
    host = {
        "name": "api",
        "domains": ["*"],
        "routes": [*api_routes(options), *page_routes(options)],
        "typed_per_filter_config": {"envoy.filters.http.cors": _cors(options)},
    }
    return {
        "name": "api",
        "virtual_hosts": [host],
        # Clusters come from the control plane, maybe later.
        "validate_clusters": False,
        "max_direct_response_body_size_bytes": LARGEST_PAGE_BYTES,
        "request_headers_to_remove": ["authorization", "cookie"],
    }


def _cors(options: Options) -> Json:
    settings = options.settings.cors
    return typed(
        f"{HTTP_FILTERS}cors.v3.CorsPolicy",
        allow_origin_string_match=[{"exact": origin} for origin in settings.origins],
        allow_methods=",".join(CORS_VERBS),
        allow_headers=",".join(CORS_REQUEST_HEADERS),
        expose_headers=",".join(CORS_REPLY_HEADERS),
        max_age=str(settings.max_age_seconds),
    )


def _keys(options: Options) -> Json:
    """Serve auth's public keys to the token filter, which fetches them over HTTP from the main thread."""
    route = {"match": {"path": KEYS_PATH}, "route": {"cluster": "auth"}}
    config = {
        "name": "keys",
        "virtual_hosts": [{"name": "keys", "domains": ["*"], "routes": [route]}],
        "validate_clusters": False,
    }
    # Plain RFC 7517: a field without a value is not there.
    chain = [transcoder(options, print_defaults=False), router()]
    return _manager("keys", options, http_filters=chain, route_config=config)
