"""The one route configuration of the API, which all its listeners share: routes, web pages that may call, and rates."""

from gateway import rates
from gateway.envoy import HTTP_FILTERS, Json, typed
from gateway.options import Options
from gateway.pages import LARGEST_PAGE_BYTES, page_routes
from gateway.routes import api_routes
from mesh import headers as names

ROUTES = "api"
CONFIGURATION = "envoy.config.route.v3.RouteConfiguration"
CORS_VERBS = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
CORS_REQUEST_HEADERS = (
    "authorization", "content-type", "if-match", "if-none-match", names.IDEMPOTENCY_KEY, names.REQUEST_ID,
    names.TRACEPARENT, "x-grpc-web", "x-user-agent", "grpc-timeout",
)  # fmt: skip
CORS_REPLY_HEADERS = (
    names.REQUEST_ID, "etag", "grpc-status", "grpc-message", "grpc-status-details-bin", "retry-after",
    "ratelimit-limit", "ratelimit-remaining", "ratelimit-reset",
)  # fmt: skip


def route_configuration(options: Options) -> Json:
    """Route the API and the pages; nothing that a client logs in with goes to services."""
    host = {
        "name": ROUTES,
        "domains": ["*"],
        "routes": [*api_routes(options), *page_routes(options)],
        "typed_per_filter_config": {
            "envoy.filters.http.cors": _cors(options),
            rates.FILTER: rates.allowances(options.settings, told=options.shared_rates is None),
        },
    }
    return typed(
        CONFIGURATION,
        name=ROUTES,
        virtual_hosts=[host],
        # Clusters come from the control plane, maybe later.
        validate_clusters=False,
        max_direct_response_body_size_bytes=LARGEST_PAGE_BYTES,
        request_headers_to_remove=["authorization", "cookie"],
    )


def _cors(options: Options) -> Json:
    settings = options.settings.cors
    return typed(
        f"{HTTP_FILTERS}cors.v3.CorsPolicy",
        allow_origin_string_match=[{"exact": origin} for origin in settings.origins],
        allow_methods=",".join(CORS_VERBS),
        allow_headers=",".join(CORS_REQUEST_HEADERS),
        expose_headers=",".join(CORS_REPLY_HEADERS),
        # The cookie of a session may come from these origins, which are listed one by one.
        allow_credentials=True,
        max_age=str(settings.max_age_seconds),
    )
