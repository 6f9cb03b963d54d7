"""What happens to a gRPC client's call before an instance is chosen: which version, retries, and failures on purpose.

No route sets a timeout: gRPC fires those of xDS too early (grpc/grpc#40633), so deadlines are the stubs' business.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from envoy.config.listener.v3 import api_listener_pb2, listener_pb2
from envoy.config.route.v3 import route_pb2
from envoy.config.route.v3.route_components_pb2 import (
    HeaderMatcher,
    RetryPolicy,
    RouteAction,
    RouteMatch,
    VirtualHost,
    WeightedCluster,
)
from envoy.extensions.filters.common.fault.v3 import fault_pb2 as common_fault_pb2
from envoy.extensions.filters.http.fault.v3 import fault_pb2
from envoy.extensions.filters.http.router.v3 import router_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2
from envoy.type.matcher.v3 import string_pb2
from envoy.type.v3 import percent_pb2

from mesh.control_plane.localities import OTHERS, Shares
from mesh.control_plane.policy import method_name
from mesh.control_plane.xds import cluster_of, number, packed, this_stream
from ordermesh.mesh.v1.traffic_policy_pb2 import Canary, Fault, HeaderMatch, Retry, TrafficPolicy

RETRY_ON = "unavailable,cancelled"
"""What is tried again where the contract allows it: an instance that went away."""

FAULTS = "faults"
"""The name by which routes set up the filter that makes calls fail."""


class Treatment(NamedTuple):
    """What one method has that others may not have."""

    repeatable: bool
    fault: Fault | None


def listener(service: str, policy: TrafficPolicy) -> listener_pb2.Listener:
    """Build what `xds:///<service>` looks up first: it sends the client on to the routes of the same name."""
    rds = http_connection_manager_pb2.Rds(route_config_name=service, config_source=this_stream())
    connection = http_connection_manager_pb2.HttpConnectionManager(rds=rds)
    if policy.faults:
        connection.http_filters.add(name=FAULTS).typed_config.CopyFrom(packed(fault_pb2.HTTPFault()))
    return _listener(service, connection)


def unknown_listener(service: str) -> listener_pb2.Listener:
    """Build one that leads nowhere: each call fails at once, saying that no virtual host has the name."""
    nowhere = route_pb2.RouteConfiguration(name=service)
    return _listener(service, http_connection_manager_pb2.HttpConnectionManager(route_config=nowhere))


def _listener(service: str, connection: http_connection_manager_pb2.HttpConnectionManager) -> listener_pb2.Listener:
    connection.http_filters.add(name="router").typed_config.CopyFrom(packed(router_pb2.Router()))
    return listener_pb2.Listener(
        name=service, api_listener=api_listener_pb2.ApiListener(api_listener=packed(connection))
    )


def shares(canary: Canary) -> Shares:
    """Give each version its percentage, the versions without one of their own what is left."""
    named = {each.version: each.percent for each in canary.versions}
    return {**named, OTHERS: 100 - sum(named.values())}


def routes(service: str, methods: Mapping[str, bool], policy: TrafficPolicy) -> route_pb2.RouteConfiguration:
    """Build the routes to a service. Methods neither repeated nor with a fault of their own share the last one."""
    host = VirtualHost(name=service, domains=["*"])
    usual = Treatment(repeatable=False, fault=_fault_of("", policy))
    for path in sorted(methods):
        treatment = Treatment(methods[path], _fault_of(method_name(path), policy))
        if treatment != usual:
            _add_routes(host, RouteMatch(path=path), treatment, policy)
    _add_routes(host, RouteMatch(prefix=""), usual, policy)
    return route_pb2.RouteConfiguration(name=service, virtual_hosts=[host])


def _fault_of(method: str, policy: TrafficPolicy) -> Fault | None:
    return next((each for each in policy.faults if not each.methods or method in each.methods), None)


def _add_routes(
    host: VirtualHost,
    match: RouteMatch,
    treatment: Treatment,
    policy: TrafficPolicy,
) -> None:
    for header, action in _actions(host.name, policy.canary):
        route = host.routes.add(match=match, route=action)
        if header:
            route.match.headers.append(header)
        if treatment.repeatable and policy.retry.max_retries:
            route.route.retry_policy.CopyFrom(_retry_policy(policy.retry))
        if treatment.fault:
            route.typed_per_filter_config[FAULTS].CopyFrom(packed(_http_fault(treatment.fault)))


def _actions(service: str, canary: Canary) -> Iterator[tuple[HeaderMatcher | None, RouteAction]]:
    """Say where calls with a certain header go, and then where all others do."""
    for each in canary.versions:
        if each.HasField("header"):
            yield _header(each.header), RouteAction(cluster=cluster_of(service, each.version))
    split = {cluster_of(service, version): percent for version, percent in shares(canary).items() if percent}
    if len(split) == 1:
        yield None, RouteAction(cluster=next(iter(split)))
    else:
        weighted = WeightedCluster()
        for name, percent in sorted(split.items()):
            weighted.clusters.add(name=name, weight=number(percent))
        yield None, RouteAction(weighted_clusters=weighted)


def _header(header: HeaderMatch) -> HeaderMatcher:
    exactly = header.WhichOneof("value") == "exact"
    value = string_pb2.StringMatcher(exact=header.exact) if exactly else string_pb2.StringMatcher(prefix=header.prefix)
    return HeaderMatcher(name=header.name, string_match=value)


def _retry_policy(retry: Retry) -> RetryPolicy:
    # A layer may have set one of them without a look at the other.
    longest = max(retry.base_backoff, retry.max_backoff, key=lambda each: each.ToMilliseconds())
    return RetryPolicy(
        retry_on=RETRY_ON,
        num_retries=number(retry.max_retries),
        retry_back_off=RetryPolicy.RetryBackOff(base_interval=retry.base_backoff, max_interval=longest),
    )


def _http_fault(fault: Fault) -> fault_pb2.HTTPFault:
    built = fault_pb2.HTTPFault()
    if fault.HasField("delay"):
        percentage = _percent(fault.delay.percent)
        delay = common_fault_pb2.FaultDelay(fixed_delay=fault.delay.duration, percentage=percentage)
        built.delay.CopyFrom(delay)
    if fault.HasField("abort"):
        built.abort.grpc_status = fault.abort.code
        built.abort.percentage.CopyFrom(_percent(fault.abort.percent))
    return built


def _percent(value: int) -> percent_pb2.FractionalPercent:
    return percent_pb2.FractionalPercent(numerator=value, denominator=percent_pb2.FractionalPercent.HUNDRED)
