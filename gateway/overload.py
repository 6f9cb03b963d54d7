"""What the edge refuses when there is more than it, or a service behind it, can carry: soon, cheaply, and with 503.

Calls of one service with one deadline are a class, since they cost alike. Of each class so many are let through at once
as still come back within a share of that deadline; the others are told at once to come again, instead of waiting in a
line that grows. Streams are not counted: they are open for long, and the service bounds them.
"""

from collections.abc import Iterable
from datetime import timedelta

from gateway.envoy import HTTP_FILTERS, Json, duration, extension, switched_on, typed
from gateway.options import Options
from mesh.contract import MethodPolicy

PREFIX = "envoy.filters.http.adaptive_concurrency"
MONITORS = "envoy.extensions.resource_monitors."
HEAP, CONNECTIONS = "envoy.resource_monitors.fixed_heap", "envoy.resource_monitors.global_downstream_max_connections"
# How often the number is thought over, and the share of calls that must keep the time. Half of them would leave the
# other half out: 828 ms for one call in twenty where nine tenths gave 343 (`make bench-edge`, no buffer either).
UPDATE = timedelta(milliseconds=100)
NEARLY_ALL, NO_BUFFER = {"value": 90}, {"value": 0}
# Shares of the heap at which Envoy gives memory back, closes connections after each reply, and takes no more requests.
ACTIONS = {"shrink_heap": 0.85, "disable_http_keepalive": 0.9, "stop_accepting_requests": 0.95}


def concurrency_filters(options: Options) -> list[Json]:
    """Build a filter for each class; a route switches on the one that is its own."""
    methods = options.contract.methods
    classes = sorted({(each.domain, each.deadline) for each in methods if _is_counted(each)})
    return [_filter(domain, deadline, options) for domain, deadline in classes]


def counted(method: MethodPolicy) -> Json:
    """Give the filter settings of a route."""
    return switched_on(_name(method.domain, method.deadline)) if _is_counted(method) else {}


def manager(options: Options) -> Json:
    """Bound what Envoy itself takes."""
    heap = options.settings.overload.max_heap_megabytes * 1024 * 1024
    most = options.settings.limits.max_connections
    monitors = [
        extension(HEAP, f"{MONITORS}fixed_heap.v3.FixedHeapConfig", max_heap_size_bytes=heap),
        extension(
            CONNECTIONS,
            f"{MONITORS}downstream_connections.v3.DownstreamConnectionsConfig",
            max_active_downstream_connections=most,
        ),
    ]
    return {"refresh_interval": "0.25s", "resource_monitors": monitors, "actions": list(_actions())}


def _actions() -> Iterable[Json]:
    for action, share in ACTIONS.items():
        trigger = {"name": HEAP, "threshold": {"value": share}}
        yield {"name": f"envoy.overload_actions.{action}", "triggers": [trigger]}


def _is_counted(method: MethodPolicy) -> bool:
    streams = method.server_streaming or method.client_streaming
    return method.access.is_routed and not streams


def _name(domain: str, deadline: timedelta) -> str:
    return f"{PREFIX}.{domain}.{duration(deadline)}"


def _filter(domain: str, deadline: timedelta, options: Options) -> Json:
    settings = options.settings.overload
    wanted = deadline * settings.deadline_share
    controller = {
        "sample_aggregate_percentile": NEARLY_ALL,
        "concurrency_limit_params": {
            "concurrency_update_interval": duration(UPDATE),
            "max_concurrency_limit": settings.most_at_once,
        },
        "min_rtt_calc_params": {
            "fixed_value": duration(wanted),
            "min_concurrency": settings.least_at_once,
            "buffer": NO_BUFFER,
        },
    }
    config = typed(
        f"{HTTP_FILTERS}adaptive_concurrency.v3.AdaptiveConcurrency",
        gradient_controller_config=controller,
        enabled={"default_value": True, "runtime_key": f"edge.overload.{domain}"},
    )
    return {"name": _name(domain, deadline), "typed_config": config, "disabled": True}
