"""How often one client may call.

The ordinary allowance is counted by user, or by address for those without a token; the strict one, of calls that guess
secrets, always by address.

The counts belong to the routes, which all listeners share: http, https and HTTP/3 draw from one allowance.
"""

from gateway.envoy import Json, extension, typed
from gateway.errors import TOKEN_FILTER
from gateway.settings import EdgeSettings, Rate
from gateway.tokens import claim
from mesh import headers
from mesh.contract import RateClass

FILTER = "envoy.filters.http.local_ratelimit"
MESSAGE = "envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit"
METADATA = "ordermesh"
CLASS = "rate"
STATS = "edge"
# Buckets kept for each kind of client. With too few, a flood of addresses would give everybody fresh ones.
BUCKETS = 10_000
# The filter wants a bucket for calls that no descriptor matches, such as the API page: so large that it is none.
UNLIMITED = 4_000_000_000

_ALWAYS = {"default_value": {"numerator": 100, "denominator": "HUNDRED"}}


def rate_filter() -> Json:
    """Put counting in its place; what is counted is said by the routes."""
    return extension(FILTER, MESSAGE, stat_prefix=STATS)


def allowances(settings: EdgeSettings, *, told: bool = True) -> Json:
    """Count calls and refuse those beyond the rate with 429 and Retry-After, or RESOURCE_EXHAUSTED over gRPC.

    Replies are `told` what is left, unless somebody else counts more.
    """
    return typed(
        MESSAGE,
        stat_prefix=STATS,
        filter_enabled=_ALWAYS,
        filter_enforced=_ALWAYS,
        token_bucket={"max_tokens": UNLIMITED, "tokens_per_fill": UNLIMITED, "fill_interval": "1s"},
        always_consume_default_token_bucket=False,
        max_dynamic_descriptors=BUCKETS,
        rate_limits=questions(),
        descriptors=_allowances(settings),
        enable_x_ratelimit_headers="DRAFT_VERSION_03" if told else "OFF",
        enable_retry_after_header=True,
        rate_limited_as_resource_exhausted=True,
    )


def metadata(rate: RateClass) -> Json:
    """Write the class onto a route, where the filter reads it."""
    return {"filter_metadata": {METADATA: {CLASS: rate.name}}}


def questions() -> list[Json]:
    """Say what is known of each call: its class with the user, the anonymous address, and the address."""
    rate = {
        "metadata": {"descriptor_key": CLASS, "source": "ROUTE_ENTRY", "metadata_key": _key(METADATA, [{"key": CLASS}])}
    }
    user = {
        "metadata": {"descriptor_key": "user", "source": "DYNAMIC", "metadata_key": _key(TOKEN_FILTER, claim("sub"))}
    }
    address: Json = {"remote_address": {}}
    anonymous = {
        "header_value_match": {
            "descriptor_key": "anonymous",
            "descriptor_value": "yes",
            "expect_match": False,
            "headers": [{"name": headers.CLAIMS, "present_match": True}],
        }
    }
    return [{"actions": actions} for actions in ([rate, user], [rate, anonymous, address], [rate, address])]


def _allowances(settings: EdgeSettings) -> list[Json]:
    default, strict = (settings.rates[rate.name] for rate in (RateClass.DEFAULT, RateClass.STRICT))
    return [
        _allowance(default, {"key": CLASS, "value": RateClass.DEFAULT.name}, {"key": "user"}),
        _allowance(
            default,
            {"key": CLASS, "value": RateClass.DEFAULT.name},
            {"key": "anonymous", "value": "yes"},
            {"key": "remote_address"},
        ),
        _allowance(strict, {"key": CLASS, "value": RateClass.STRICT.name}, {"key": "remote_address"}),
    ]


def _allowance(rate: Rate, *entries: Json) -> Json:
    bucket = {
        "max_tokens": rate.burst,
        "tokens_per_fill": rate.requests,
        "fill_interval": f"{rate.seconds}s",
    }
    return {"entries": list(entries), "token_bucket": bucket}


def _key(name: str, path: list[Json]) -> Json:
    return {"key": name, "path": path}
