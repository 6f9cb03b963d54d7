"""The whole configuration: what it must say, and what it must not."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from gateway import Options, render
from gateway.envoy import Json


@pytest.fixture(scope="module")
def bootstrap(options: Options) -> Json:
    """Render it once."""
    return render(options)


def managers(bootstrap: Json) -> dict[str, Json]:
    """The connection managers by the names of their listeners."""
    return {
        listener["name"]: listener["filter_chains"][0]["filters"][0]["typed_config"]
        for listener in bootstrap["static_resources"]["listeners"]
    }


def filters(manager: Json) -> list[str]:
    """Names of the HTTP filters in the order in which a request meets them."""
    return [each["name"].removeprefix("envoy.filters.http.") for each in manager["http_filters"]]


def addresses(value: Any) -> Iterator[str]:  # noqa: ANN401 - any JSON value
    """Every host in it."""
    if isinstance(value, dict):
        if "socket_address" in value:
            yield value["socket_address"]["address"]
        for each in value.values():
            yield from addresses(each)
    elif isinstance(value, list):
        for each in value:
            yield from addresses(each)


def test_it_is_plain_json_and_the_same_each_time(options: Options, bootstrap: Json) -> None:
    """So that a second install sees that nothing changed."""
    assert json.loads(json.dumps(bootstrap)) == render(options)


def test_nothing_is_open_to_the_network(bootstrap: Json) -> None:
    """Nor is anything asked elsewhere."""
    assert set(addresses(bootstrap)) == {"127.0.0.1"}


def test_nobody_but_a_control_plane_is_listened_to(bootstrap: Json) -> None:
    """Whoever else holds a certificate of the mesh can't tell the edge where services are."""
    context = bootstrap["static_resources"]["clusters"][0]["transport_socket"]["typed_config"]["common_tls_context"]
    validation = context["combined_validation_context"]

    [matcher] = validation["default_validation_context"]["match_typed_subject_alt_names"]
    assert matcher == {"san_type": "URI", "matcher": {"suffix": "/svc/control-plane"}}
    assert validation["validation_context_sds_secret_config"]["name"] == "authorities"


def test_the_administration_tells_no_configuration_and_takes_no_orders(bootstrap: Json) -> None:
    """They are the business of whoever installs it."""
    allowed = [next(iter(each.values())) for each in bootstrap["admin"]["allow_paths"]]

    assert sorted(allowed) == ["/certs", "/clusters", "/ready", "/server_info", "/stats"]
    assert all(not "/config_dump".startswith(each) for each in allowed)


def test_all_listeners_of_the_api_do_the_same(bootstrap: Json) -> None:
    """With the same routes, and so the same counts; only encrypted ones tell that there is HTTP/3."""
    plain, *secure = (managers(bootstrap)[name] for name in ("http", "https", "http3"))

    for manager in secure:
        assert manager["rds"] == plain["rds"]
        assert filters(manager) == filters(plain)
        assert manager["http_filters"][1:] == plain["http_filters"][1:]
    assert [("alt-svc" in str(each["http_filters"])) for each in (plain, *secure)] == [False, True, True]


def test_https_and_http3_are_encrypted_on_ports_of_one_number(bootstrap: Json) -> None:
    """As alt-svc tells clients."""
    https, http3 = bootstrap["static_resources"]["listeners"][1:3]
    sockets = [each["filter_chains"][0]["transport_socket"]["name"] for each in (https, http3)]
    ports = [each["address"]["socket_address"] for each in (https, http3)]

    assert sockets == ["envoy.transport_sockets.tls", "envoy.transport_sockets.quic"]
    assert ports[0]["port_value"] == ports[1]["port_value"]
    assert ports[1]["protocol"] == "UDP"


def test_who_calls_is_known_before_it_is_asked(bootstrap: Json) -> None:
    """Headers are cleaned first, tokens come before permissions and rates, and REST becomes gRPC only at the end."""
    order = filters(managers(bootstrap)["http"])

    assert order[0] == "header_mutation"
    assert order[-2:] == ["grpc_json_transcoder", "router"]
    assert order.index("cors") < order.index("jwt_authn") < order.index("rbac") < order.index("local_ratelimit")


def test_hsts_is_sent_over_https_only(options: Options) -> None:
    """And only where it is switched on."""
    switched_on = options.settings.model_copy(
        update={"security": options.settings.security.model_copy(update={"hsts_seconds": 60})}
    )
    both = managers(render(replace(options, settings=switched_on)))

    assert "strict-transport-security" in str(both["https"]["http_filters"])
    assert "strict-transport-security" not in str(both["http"]["http_filters"])


def test_auth_is_asked_for_its_keys_alone(bootstrap: Json) -> None:
    """The listener by which the token filter reaches auth leads nowhere else, without a check that needs the keys."""
    manager = managers(bootstrap)["keys"]
    (host,) = manager["route_config"]["virtual_hosts"]

    assert filters(manager) == ["grpc_json_transcoder", "router"]
    assert [each["match"] for each in host["routes"]] == [{"path": "/.well-known/jwks.json"}]


def test_all_replicas_of_the_control_plane_are_known(bootstrap: Json) -> None:
    """One of them is enough to learn everything else."""
    control_plane = bootstrap["static_resources"]["clusters"][0]
    endpoints = control_plane["load_assignment"]["endpoints"][0]["lb_endpoints"]
    ports = [each["endpoint"]["address"]["socket_address"]["port_value"] for each in endpoints]

    assert ports == [9000, 9001]
    assert bootstrap["node"]["locality"] == {"region": "dc1", "zone": "zone-a"}
