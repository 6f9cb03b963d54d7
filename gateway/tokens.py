"""Who may pass: access tokens checked against auth's public keys, and the permission a method asks for.

Services check permissions as well; the edge spares them the calls that cannot succeed.
"""

from gateway.envoy import Json, http_filter, typed
from gateway.errors import TOKEN_FAILURE, TOKEN_FILTER
from gateway.options import Options
from mesh import headers
from mesh.contract import Access, AccessKind

PROVIDER = "auth"
PAYLOAD = "payload"
ANYONE = "anyone"
USER = "user"
KEYS_CLUSTER = "keys"
KEYS_PATH = "/.well-known/jwks.json"
RBAC_FILTER = "envoy.filters.http.rbac"
KNOWN_TOKENS = 1000


def token_filter(options: Options) -> Json:
    """Verify tokens as a route demands; a route without a demand, such as that of the API page, lets all pass."""
    return http_filter(
        "jwt_authn",
        "jwt_authn.v3.JwtAuthentication",
        providers={PROVIDER: _provider(options)},
        requirement_map={USER: {"provider_name": PROVIDER}, ANYONE: _none_or_valid()},
    )


def permission_filter() -> Json:
    """Compare the token's permissions with what the route asks for; the routes bring the rules."""
    return http_filter("rbac", "rbac.v3.RBAC")


def demands(access: Access) -> Json:
    """Give the filter settings of a route for a method with this access."""
    public = access.kind is AccessKind.PUBLIC
    name = "jwt_authn.v3.PerRouteConfig"
    demand = {TOKEN_FILTER: typed(f"envoy.extensions.filters.http.{name}", requirement_name=ANYONE if public else USER)}
    return demand if public else demand | {RBAC_FILTER: _permission(access.permission)}


def claim(name: str) -> list[Json]:
    """Give the path of a claim in the metadata of TOKEN_FILTER."""
    return [{"key": PAYLOAD}, {"key": name}]


def _provider(options: Options) -> Json:
    return {
        "issuer": options.issuer,
        "audiences": [options.audience],
        "require_expiration": True,
        "clock_skew_seconds": options.settings.tokens.clock_skew_seconds,
        "remote_jwks": _keys(options),
        "jwt_cache_config": {"jwt_cache_size": KNOWN_TOKENS},
        "from_headers": [{"name": "authorization", "value_prefix": "Bearer "}],
        "from_cookies": [headers.SESSION_COOKIE],
        "forward": False,
        "forward_payload_header": headers.CLAIMS,
        "payload_in_metadata": PAYLOAD,
        "failed_status_in_metadata": TOKEN_FAILURE,
    }


def _keys(options: Options) -> Json:
    """Fetch the keys before listening, and again before they are too old; while auth is away, ask again soon.

    An Envoy that takes over from another fetches them by way of that one, so it has them from its first request on.
    """
    tokens = options.settings.tokens
    return {
        "http_uri": {
            "uri": f"http://{options.host}:{options.ports.keys}{KEYS_PATH}",
            "cluster": KEYS_CLUSTER,
            "timeout": f"{tokens.keys_timeout_seconds}s",
        },
        "cache_duration": f"{tokens.keys_seconds}s",
        "async_fetch": {"fast_listener": False, "failed_refetch_duration": f"{tokens.keys_retry_seconds}s"},
    }


def _none_or_valid() -> Json:
    """No token is fine; one that is sent must be good, so that a client learns early that it has expired."""
    return {"requires_any": {"requirements": [{"provider_name": PROVIDER}, {"allow_missing": {}}]}}


def _permission(permission: str) -> Json:
    holds = {"list_match": {"one_of": {"string_match": {"exact": permission}}}}
    matcher = {"filter": TOKEN_FILTER, "path": claim("permissions"), "value": holds}
    holder = {"sourced_metadata": {"metadata_matcher": matcher, "metadata_source": "DYNAMIC"}}
    policy = {"permissions": [{"any": True}], "principals": [holder]}
    return typed(
        "envoy.extensions.filters.http.rbac.v3.RBACPerRoute",
        rbac={"rules": {"action": "ALLOW", "policies": {permission: policy}}},
    )
