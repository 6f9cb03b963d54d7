"""Limits that several edges share, by Envoy's own rate limit service with Valkey behind it: an option.

Each edge counts for itself first (`rates`), so that a client is bounded also while the service is away. The service
counts in windows of a second, minute, hour or day; what may come at once (`burst`) is what may come in one of them.
"""

from gateway import rates
from gateway.envoy import Json, header, http_filter
from gateway.options import Options
from gateway.settings import EdgeSettings, Rate
from mesh.contract import RateClass

CLUSTER = "ratelimit"
DOMAIN = "edge"
# A call does not wait longer than this to be counted; then it passes.
PATIENCE = "0.1s"
UNITS = {1: "second", 60: "minute", 3600: "hour", 86_400: "day"}


def shared_filter(options: Options) -> list[Json]:
    """Ask the service, if there is one, what all edges have counted."""
    if options.shared_rates is None:
        return []
    asked = {"envoy_grpc": {"cluster_name": CLUSTER}, "timeout": PATIENCE}
    return [
        http_filter(
            "ratelimit",
            "ratelimit.v3.RateLimit",
            domain=DOMAIN,
            timeout=PATIENCE,
            failure_mode_deny=False,
            rate_limited_as_resource_exhausted=True,
            enable_x_ratelimit_headers="DRAFT_VERSION_03",
            rate_limit_service={"transport_api_version": "V3", "grpc_service": asked},
            rate_limits=rates.questions(),
            response_headers_to_add=[header("retry-after", "%RESP(x-ratelimit-reset)%")],
        )
    ]


def service_configuration(settings: EdgeSettings) -> Json:
    """Build what the service reads: who is counted, as `rates` has it, and how often they may call."""
    default, strict = (settings.rates[rate.name] for rate in (RateClass.DEFAULT, RateClass.STRICT))
    anonymous = {"key": "anonymous", "value": "yes", "descriptors": [{"key": "remote_address", **_limit(default)}]}
    of_default = [{"key": "user", **_limit(default)}, anonymous]
    of_strict = [{"key": "remote_address", **_limit(strict)}]
    classes = {RateClass.DEFAULT: of_default, RateClass.STRICT: of_strict}
    return {
        "domain": DOMAIN,
        "descriptors": [
            {"key": rates.CLASS, "value": rate.name, "descriptors": counted} for rate, counted in classes.items()
        ],
    }


def _limit(rate: Rate) -> Json:
    if rate.seconds not in UNITS:
        raise ValueError(f"shared rates are counted by {', '.join(map(str, UNITS))} seconds, not {rate.seconds}")
    return {"rate_limit": {"unit": UNITS[rate.seconds], "requests_per_unit": rate.burst}}
