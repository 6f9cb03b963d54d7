"""Whose replies are kept."""

from dataclasses import replace

import pytest

from gateway import Options, render
from gateway.cache import FILTER, LUA, MAX_AGE
from gateway.conditions import CONDITION, TAG, has_tag
from gateway.routes import api_routes
from mesh.contract import Contract, MethodPolicy

CONTRACT = Contract.load()
OUTSIDE = [method for method in CONTRACT.methods if method.access.is_routed]


@pytest.mark.parametrize("method", OUTSIDE, ids=lambda method: method.full_name)
def test_replies_are_kept_where_the_contract_says_for_how_long(options: Options, method: MethodPolicy) -> None:
    """Of REST routes alone; and whoever asked first is not told to the service."""
    for route in [each for each in api_routes(options) if each.get("name") == method.full_name]:
        rest = "path" not in route["match"] or route["match"]["path"] != method.full_name
        kept = bool(method.cache_ttl and rest)

        assert ({FILTER, CONDITION} <= route["typed_per_filter_config"].keys()) is kept
        assert (LUA in route["metadata"]["filter_metadata"]) is kept
        assert ("x-ordermesh-claims" in route.get("request_headers_to_remove", ())) is kept
        if method.cache_ttl and kept:
            assert route["metadata"]["filter_metadata"][LUA] == {MAX_AGE: method.cache_ttl.total_seconds()}


@pytest.mark.parametrize("method", OUTSIDE, ids=lambda method: method.full_name)
def test_a_read_of_a_thing_with_an_etag_takes_a_condition(options: Options, method: MethodPolicy) -> None:
    """Over REST, and where its reply is not kept: that has a tag of its content."""
    tagged = has_tag(method, options.messages) and not method.cache_ttl
    for route in [each for each in api_routes(options) if each.get("name") == method.full_name]:
        reads = {"name": ":method", "string_match": {"exact": "GET"}} in route["match"]["headers"]

        assert ({CONDITION, TAG} <= route["typed_per_filter_config"].keys()) is (tagged and reads)


def test_nothing_is_kept_unless_a_route_asks_for_it(options: Options) -> None:
    """The filters are off by themselves, and come after who asks is known and before REST becomes gRPC."""
    manager = render(options)["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
    names = [each["name"] for each in manager["http_filters"]]
    (kept, condition) = (manager["http_filters"][names.index(name)] for name in (FILTER, CONDITION))

    assert kept["disabled"]
    assert condition["disabled"]
    assert names.index("envoy.filters.http.local_ratelimit") < names.index(CONDITION) < names.index(FILTER)
    assert names.index(FILTER) < names.index("envoy.filters.http.grpc_json_transcoder")


def test_the_cache_can_be_switched_off(options: Options) -> None:
    """Then no route asks for it."""
    off = options.settings.cache.model_copy(update={"enabled": False})
    without = replace(options, settings=options.settings.model_copy(update={"cache": off}))

    assert FILTER not in str(api_routes(without))
