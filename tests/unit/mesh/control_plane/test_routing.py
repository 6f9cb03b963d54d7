"""Where calls go, how often, and which fail on purpose."""

from typing import Any

from envoy.config.listener.v3 import listener_pb2
from envoy.extensions.filters.http.fault.v3 import fault_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2

from mesh.control_plane.policy import DEFAULTS
from mesh.control_plane.routing import FAULTS, listener, routes, shares
from tests.unit.mesh.control_plane.examples import METHODS, READ, WRITE, policies


def routes_by(policy: object) -> list[Any]:
    """Build the routes of `order` under a policy."""
    built = routes("order", METHODS["order"], policies(order=policy).of("order"))
    return list(built.virtual_hosts[0].routes)


def fault(route: Any) -> fault_pb2.HTTPFault:  # noqa: ANN401 - an untyped message
    """Read the fault of a route."""
    found = fault_pb2.HTTPFault()
    assert route.typed_per_filter_config[FAULTS].Unpack(found)
    return found


def filters(built: listener_pb2.Listener) -> list[str]:
    """Name the filters of a listener."""
    connection = http_connection_manager_pb2.HttpConnectionManager()
    assert built.api_listener.api_listener.Unpack(connection)
    return [each.name for each in connection.http_filters]


def test_only_methods_that_may_be_repeated_are_retried() -> None:
    """The routes with a retry policy are theirs; everything else falls through to one without."""
    *named, rest = routes_by({})

    assert [(route.match.path, route.route.retry_policy.retry_on) for route in named] == [
        (READ, "unavailable,cancelled")
    ]
    assert rest.match.WhichOneof("path_specifier") == "prefix"
    assert not rest.route.HasField("retry_policy")


def test_no_route_sets_a_timeout() -> None:
    """Deadlines belong to the stubs, because those of xDS fire too early."""
    assert not any(
        route.route.HasField("timeout") or route.route.HasField("max_stream_duration") for route in routes_by({})
    )


def test_a_policy_says_how_often_and_how_soon_calls_are_repeated() -> None:
    """A longest pause below the first one, which two layers can come to, is as long as that."""
    [read, _] = routes_by({"retry": {"maxRetries": 1, "baseBackoff": "0.5s"}})

    assert read.route.retry_policy.num_retries.value == 1
    assert read.route.retry_policy.retry_back_off.base_interval.ToMilliseconds() == 500
    assert read.route.retry_policy.retry_back_off.max_interval.ToMilliseconds() == 500


def test_without_retries_no_route_has_any() -> None:
    """Zero is a number of tries too."""
    assert not any(route.route.HasField("retry_policy") for route in routes_by({"retry": {"maxRetries": 0}}))


def test_versions_share_the_calls() -> None:
    """What has no share of its own gets the rest."""
    for route in routes_by({"canary": {"versions": [{"version": "2", "percent": 10}]}}):
        split = {each.name: each.weight.value for each in route.route.weighted_clusters.clusters}
        assert split == {"order": 90, "order/2": 10}


def test_a_version_that_gets_everything_or_nothing_needs_no_weights() -> None:
    """GRPC refuses a weight of zero in all."""
    for percent, name in ((0, "order"), (100, "order/2")):
        [*_, rest] = routes_by({"canary": {"versions": [{"version": "2", "percent": percent}]}})
        assert rest.route.cluster == name


def test_a_header_goes_before_the_shares() -> None:
    """Each way to a method has one route for calls with the header and one for all others."""
    header = {"name": "x-request-id", "prefix": "canary-"}
    found = routes_by({"canary": {"versions": [{"version": "2", "percent": 0, "header": header}]}})

    assert [(route.match.path, route.route.cluster, len(route.match.headers)) for route in found] == [
        (READ, "order/2", 1),
        (READ, "order", 0),
        ("", "order/2", 1),
        ("", "order", 0),
    ]
    assert found[0].match.headers[0].string_match.prefix == "canary-"


def test_the_first_fault_that_fits_a_method_counts() -> None:
    """One for all methods stands behind those for some."""
    late = {"methods": ["GetOrder"], "delay": {"percent": 50, "duration": "1s"}}
    read, rest = routes_by({"faults": [late, {"abort": {"percent": 5, "code": "UNAVAILABLE"}}]})

    assert fault(read).delay.fixed_delay.seconds == 1
    assert fault(read).delay.percentage.numerator == 50
    assert not fault(read).HasField("abort")
    assert (fault(rest).abort.grpc_status, fault(rest).abort.percentage.numerator) == (14, 5)


def test_a_method_with_a_fault_of_its_own_is_not_repeated_for_that() -> None:
    """It has a route, but the contract's word about repeating stays."""
    write, _ = [route for route in routes_by({"faults": [{"methods": ["CreateOrder"], "abort": ABORT}]}) if route][::2]

    assert write.match.path == WRITE
    assert not write.route.HasField("retry_policy")


ABORT = {"percent": 5, "code": "INTERNAL"}


def test_without_faults_no_call_passes_the_filter_that_makes_them() -> None:
    """It costs a little, so it is there during a drill only."""
    drill = policies(order={"faults": [{"abort": ABORT}]}).of("order")

    assert filters(listener("order", DEFAULTS)) == ["router"]
    assert filters(listener("order", drill)) == [FAULTS, "router"]


def test_shares_add_up() -> None:
    """Whatever is left goes to the versions without a share of their own."""
    versions = [{"version": "2", "percent": 10}, {"version": "3", "percent": 20}]
    canary = policies(order={"canary": {"versions": versions}}).of("order").canary

    assert shares(canary) == {"2": 10, "3": 20, "": 70}
