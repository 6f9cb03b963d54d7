"""How RPCs are reached over REST: every one that is not internal has its own route, and reads are GETs."""

import re
from collections import Counter

import pytest

from ordermesh.options.v1 import options_pb2
from tests.contract.catalogue import Method, Route, messages, methods

VARIABLE = re.compile(r"\{([^}=]+)(?:=[^}]*)?\}")
PREFIXES = ("/api/v1/", "/.well-known/", "/oauth2/")

routed = [(method, route) for method in methods() for route in method.routes]
every_route = pytest.mark.parametrize(("method", "route"), routed, ids=[f"{m}-{r.path}" for m, r in routed])


@pytest.mark.parametrize("method", methods(), ids=str)
def test_an_rpc_has_a_route_unless_it_is_internal(method: Method) -> None:
    """The edge serves all that is not internal, and nothing that is."""
    assert method.policy is not None
    assert bool(method.routes) != (method.policy.internal or method.policy.edge)


def test_no_two_rpcs_share_a_route() -> None:
    """Routes that differ in the names of their variables only are the same to the edge."""
    counted = Counter((route.verb, VARIABLE.sub("{}", route.path)) for _, route in routed)
    assert [route for route, uses in counted.items() if uses > 1] == []


@every_route
def test_a_route_is_below_a_known_prefix(method: Method, route: Route) -> None:
    """Clients and the edge tell the API from pages by its path."""
    assert route.path.startswith(PREFIXES), method


@every_route
def test_reads_and_only_reads_are_gets(method: Method, route: Route) -> None:
    """GET promises to change nothing; so does SAFE."""
    assert method.policy is not None
    assert (route.verb == "GET") == (method.policy.idempotency == options_pb2.SAFE)


@every_route
def test_a_get_has_no_body_and_a_post_has(method: Method, route: Route) -> None:
    """Fields in neither body nor path become query parameters, where nobody looks for a write."""
    assert bool(route.body) == (route.verb in {"POST", "PUT", "PATCH"}), method


@every_route
def test_a_variable_of_a_path_is_a_field_of_the_request(method: Method, route: Route) -> None:
    """Transcoding fills the field of that name."""
    fields = {field.name for field in messages()[method.proto.input_type].field}
    assert set(VARIABLE.findall(route.path)) <= fields
