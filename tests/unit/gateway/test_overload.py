"""Which calls share the room that a service has."""

import pytest

from gateway import Options, render
from gateway.overload import concurrency_filters
from gateway.routes import api_routes
from mesh.contract import Contract, MethodPolicy

CONTRACT = Contract.load()
OUTSIDE = [method for method in CONTRACT.methods if method.access.is_routed]


@pytest.mark.parametrize("method", OUTSIDE, ids=lambda method: method.full_name)
def test_every_call_but_streams_has_a_filter_of_its_class(options: Options, method: MethodPolicy) -> None:
    """It names service and deadline, and is there."""
    there = {each["name"] for each in concurrency_filters(options)}
    for route in [each for each in api_routes(options) if each.get("name") == method.full_name]:
        switched_on = route["typed_per_filter_config"].keys() & there

        assert len(switched_on) == (0 if method.server_streaming or method.client_streaming else 1)
        assert all(f".{method.domain}." in name for name in switched_on)


def test_what_is_wanted_is_a_share_of_the_deadline(options: Options) -> None:
    """And no filter does anything unless a route switches it on."""
    share = options.settings.overload.deadline_share
    for each in concurrency_filters(options):
        deadline = float(each["name"].partition("adaptive_concurrency.")[2].partition(".")[2].removesuffix("s"))
        window = each["typed_config"]["gradient_controller_config"]["min_rtt_calc_params"]

        assert float(window["fixed_value"].removesuffix("s")) == pytest.approx(deadline * share)
        assert each["disabled"]


def test_envoy_refuses_requests_before_its_memory_ends(options: Options) -> None:
    """After it has tried to do without."""
    manager = render(options)["overload_manager"]
    thresholds = [each["triggers"][0]["threshold"]["value"] for each in manager["actions"]]

    assert thresholds == sorted(thresholds)
    assert manager["actions"][-1]["name"] == "envoy.overload_actions.stop_accepting_requests"
