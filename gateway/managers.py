"""What happens to the connections of a listener: the connection managers of the API and of the edge's way to the keys.

All listeners of the API share one route configuration, which Envoy reads from a file: what it holds, the counts of the
rate limits among it, is then one for all of them.
"""

from gateway import cache
from gateway.access_log import access_log
from gateway.envoy import Json, extension, typed
from gateway.errors import local_replies
from gateway.filters import api_filters, router, transcoder
from gateway.options import Options
from gateway.tokens import KEYS_PATH
from gateway.virtual_host import ROUTES

MANAGER = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
STREAMS_PER_CONNECTION = 100


def api(options: Options, name: str, **fields: object) -> Json:
    """Serve the API: the same for each protocol, but that only what is encrypted says so."""
    return _manager(
        name,
        options,
        http_filters=api_filters(options, secure=name != "http"),
        rds=_shared_routes(options),
        access_log=access_log(),
        local_reply_config=local_replies(),
        request_id_extension={"typed_config": _request_ids()},
        preserve_external_request_id=True,
        always_set_request_id_in_response=True,
        # Who calls is who is connected, whatever X-Forwarded-For says.
        use_remote_address=True,
        # Nobody outside is trusted to steer Envoy, be it from this machine.
        internal_address_config={"unix_sockets": False},
        http2_protocol_options={"max_concurrent_streams": STREAMS_PER_CONNECTION},
        **fields,
    )


def transcode(options: Options) -> Json:
    """Turn into gRPC what the cache asks for, by the same routes; whoever asked has been checked before."""
    return _manager(
        cache.TRANSCODE,
        options,
        http_filters=[cache.validators(), transcoder(options, print_defaults=True), router()],
        rds=_shared_routes(options),
        local_reply_config=local_replies(),
        request_id_extension={"typed_config": _request_ids()},
        preserve_external_request_id=True,
    )


def keys(options: Options) -> Json:
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


def _manager(name: str, options: Options, **fields: object) -> Json:
    limits = options.settings.limits
    common = {
        "stat_prefix": name,
        "server_name": "ordermesh",
        "normalize_path": True,
        "merge_slashes": True,
        "path_with_escaped_slashes_action": "REJECT_REQUEST",
        "max_request_headers_kb": limits.max_header_kilobytes,
        "request_headers_timeout": f"{limits.headers_seconds}s",
        "request_timeout": f"{limits.request_seconds}s",
        "stream_idle_timeout": f"{limits.idle_seconds}s",
        "common_http_protocol_options": {
            "idle_timeout": f"{limits.idle_seconds}s",
            "max_headers_count": limits.max_headers,
            "headers_with_underscores_action": "REJECT_REQUEST",
        },
    }
    return extension("envoy.filters.network.http_connection_manager", MANAGER, **common, **fields)


def _shared_routes(options: Options) -> Json:
    source = {"path_config_source": {"path": str(options.files.routes)}, "resource_api_version": "V3"}
    return {"route_config_name": ROUTES, "config_source": source}


def _request_ids() -> Json:
    """Leave the ids of clients as they are: no bits of tracing are kept in them."""
    return typed(
        "envoy.extensions.request_id.uuid.v3.UuidRequestIdConfig",
        pack_trace_reason=False,
        use_request_id_for_trace_sampling=False,
    )
