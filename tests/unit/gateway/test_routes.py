"""The routes are the contracts, method for method; what isn't public there doesn't exist at the edge."""

import pytest

from gateway import Options, conditions, events, names
from gateway.envoy import Json
from gateway.errors import TOKEN_FILTER
from gateway.retries import UNKNOWN
from gateway.routes import MARGIN, NOWHERE, api_routes
from gateway.tokens import RBAC_FILTER
from mesh.contract import AccessKind, Contract, Idempotency, MethodPolicy
from tests.unit.gateway.envoy import first_match

GRPC = {"content-type": "application/grpc"}
CONTRACT = Contract.load()
OUTSIDE = [method for method in CONTRACT.methods if method.access.is_routed]
INSIDE = [method for method in CONTRACT.methods if not method.access.is_routed]
each_outside = pytest.mark.parametrize("method", OUTSIDE, ids=lambda method: method.full_name)
each_inside = pytest.mark.parametrize("method", INSIDE, ids=lambda method: method.full_name)


@pytest.fixture(scope="module")
def routes(options: Options) -> list[Json]:
    """Build them once."""
    return api_routes(options)


def of(routes: list[Json], method: MethodPolicy) -> list[Json]:
    """The routes that lead to a method."""
    return [route for route in routes if route.get("name") == method.full_name]


@each_outside
def test_a_method_is_reached_over_grpc(routes: list[Json], method: MethodPolicy) -> None:
    """And over gRPC-Web, whose content types begin alike."""
    for kind in ("application/grpc", "application/grpc+proto", "application/grpc-web-text+proto"):
        route = first_match(routes, method.full_name, headers={"content-type": kind})
        assert route
        assert route["name"] == method.full_name


@each_outside
def test_a_method_is_reached_over_rest_at_each_of_its_paths(routes: list[Json], method: MethodPolicy) -> None:
    """Not by another that comes first: `7:cancel` isn't swallowed as an id."""
    assert method.bindings
    for binding in method.bindings:
        path = binding.path.replace("{", "7").replace("}", "")
        route = first_match(routes, path, binding.verb, {"content-type": "application/json"})
        assert route
        assert route["name"] == method.full_name


@each_outside
def test_a_stream_may_be_silent_for_as_long_as_it_may_last(routes: list[Json], method: MethodPolicy) -> None:
    """The listener would end it otherwise; no other method is given that."""
    for route in of(routes, method):
        assert route["route"].get("idle_timeout") == (route["route"]["timeout"] if method.server_streaming else None)


@each_outside
def test_only_streams_over_rest_tell_how_they_end(routes: list[Json], method: MethodPolicy) -> None:
    """Over gRPC there is a status for that."""
    for route in of(routes, method):
        is_grpc = route["match"].get("path") == method.full_name
        assert (events.OUTER in route["typed_per_filter_config"]) is (method.server_streaming and not is_grpc)


@each_outside
def test_what_has_a_tag_has_nothing_inside_that_has_one(options: Options, method: MethodPolicy) -> None:
    """The edge takes the first that it finds in a reply (conditions.py)."""
    if conditions.has_tag(method, options.messages):
        reply = options.messages.reply_of(method.full_name)
        tagged = [name for name, fields in names.names(iter([reply])).items() if conditions.FIELD in fields]
        assert tagged == [reply.full_name]


@each_inside
def test_an_internal_method_is_not_reached(routes: list[Json], method: MethodPolicy) -> None:
    """Whatever the content type."""
    assert first_match(routes, method.full_name, headers=GRPC) is None
    assert first_match(routes, method.full_name) is None
    assert not of(routes, method)


@each_outside
def test_a_method_leads_to_its_service_within_its_deadline(routes: list[Json], method: MethodPolicy) -> None:
    """The service ends the call at its deadline; the edge waits a little longer for what it has to say about it."""
    for route in of(routes, method):
        assert route["route"]["cluster"] == method.domain
        assert route["route"]["timeout"] == f"{(method.deadline + MARGIN).total_seconds():g}s"


@each_outside
def test_only_what_may_happen_twice_is_tried_again(routes: list[Json], method: MethodPolicy) -> None:
    """A call that no instance has seen always is."""
    for route in of(routes, method):
        reasons = set(route["route"]["retry_policy"]["retry_on"].split(","))
        assert {"connect-failure", "refused-stream"} <= reasons
        assert bool(reasons & set(UNKNOWN)) is (method.idempotency is not Idempotency.ONCE)


def test_tries_are_enough_to_leave_a_zone_that_is_gone(routes: list[Json]) -> None:
    """The next zone is asked after so many tries in one."""
    policies = [route["route"]["retry_policy"] for method in OUTSIDE for route in of(routes, method)]
    in_a_zone = {each["retry_priority"]["typed_config"]["update_frequency"] for each in policies}
    assert max(in_a_zone) <= min(each["num_retries"] for each in policies)


@each_outside
def test_a_method_asks_for_what_its_contract_asks(routes: list[Json], method: MethodPolicy) -> None:
    """A public one takes all without a token, any other one a token with the one permission."""
    for route in of(routes, method):
        filters = route["typed_per_filter_config"]
        if method.access.kind is AccessKind.PUBLIC:
            assert filters[TOKEN_FILTER]["requirement_name"] == "anyone"
            assert RBAC_FILTER not in filters
        else:
            rules = filters[RBAC_FILTER]["rbac"]["rules"]
            assert filters[TOKEN_FILTER]["requirement_name"] == "user"
            assert (rules["action"], list(rules["policies"])) == ("ALLOW", [method.access.permission])
            assert f"'{method.access.permission}'" in str(rules)


@each_outside
def test_a_method_counts_against_its_rate(routes: list[Json], method: MethodPolicy) -> None:
    """The filter reads the class from the route."""
    for route in of(routes, method):
        assert route["metadata"]["filter_metadata"]["ordermesh"] == {"rate": method.rate.name}


def test_every_route_to_a_service_is_that_of_a_method(routes: list[Json]) -> None:
    """The rest are refusals, and the preflights of browsers, which end at the edge."""
    leading = {route["name"] for route in routes if route.get("route", {}).get("cluster", NOWHERE) != NOWHERE}
    refusals = {route["direct_response"]["status"] for route in routes if "route" not in route}

    assert leading == {method.full_name for method in OUTSIDE}
    assert refusals == {400, 405, 415}


@pytest.mark.parametrize("verb", ["DELETE", "PATCH", "HEAD"])
def test_a_path_refuses_verbs_that_it_does_not_have(routes: list[Json], verb: str) -> None:
    """And names those that it has."""
    route = first_match(routes, "/api/v1/orders", verb)

    assert route
    assert route["direct_response"]["status"] == 405
    assert route["response_headers_to_add"][0]["header"] == {"key": "allow", "value": "GET, POST"}


def test_grpc_does_not_pass_on_a_rest_path(routes: list[Json]) -> None:
    """The transcoder would hand it on as it is, past what the contract says of the method."""
    assert first_match(routes, "/api/v1/orders", "POST", GRPC) is None


def test_only_preflights_are_options(routes: list[Json]) -> None:
    """An OPTIONS without the headers of one is a verb that a path doesn't have."""
    asked = {"origin": "https://shop.example", "access-control-request-method": "POST"}
    preflight = first_match(routes, "/api/v1/orders", "OPTIONS", asked)
    plain = first_match(routes, "/api/v1/orders", "OPTIONS")

    assert preflight
    assert preflight["route"]["cluster"] == NOWHERE
    assert plain
    assert plain["direct_response"]["status"] == 405


def test_a_grpc_path_wants_grpc(routes: list[Json]) -> None:
    """Otherwise it's said what to send."""
    route = first_match(routes, "/ordermesh.order.v1.OrderService/GetOrder", headers={"content-type": "text/plain"})

    assert route
    assert route["direct_response"]["status"] == 415
    assert "application/grpc" in route["direct_response"]["body"]["inline_string"]
