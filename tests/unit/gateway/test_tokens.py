"""What a token must be, and what a route may ask of it."""

from typing import Any

import pytest

from gateway import Options
from gateway.tokens import demands, token_filter
from mesh.contract import Access, AccessKind


@pytest.fixture(scope="module")
def config(options: Options) -> dict[str, Any]:
    """Build the filter."""
    built: dict[str, Any] = token_filter(options)["typed_config"]
    return built


def test_a_token_is_from_our_issuer_for_us_and_ends(config: dict[str, Any]) -> None:
    """Signatures are the filter's own business; the rest it has to be told."""
    provider = config["providers"]["auth"]

    assert provider["issuer"] == "https://auth.test"
    assert provider["audiences"] == ["ordermesh-test"]
    assert provider["require_expiration"] is True
    assert provider["clock_skew_seconds"] == 10


def test_a_token_is_taken_from_one_header_and_goes_no_further(config: dict[str, Any]) -> None:
    """Without `from_headers` Envoy would also read the query, which ends up in logs."""
    provider = config["providers"]["auth"]

    assert provider["from_headers"] == [{"name": "authorization", "value_prefix": "Bearer "}]
    assert "from_params" not in provider
    assert provider["forward"] is False
    assert provider["forward_payload_header"] == "x-ordermesh-claims"


def test_the_edge_asks_for_the_keys_before_it_listens_and_again_soon(config: dict[str, Any]) -> None:
    """Auth may come later."""
    keys = config["providers"]["auth"]["remote_jwks"]

    assert keys["http_uri"]["uri"] == "http://127.0.0.1:9902/.well-known/jwks.json"
    assert keys["async_fetch"] == {"fast_listener": False, "failed_refetch_duration": "1s"}


def test_a_token_that_is_not_needed_must_be_good_all_the_same(config: dict[str, Any]) -> None:
    """Missing is allowed; missing or failed is not."""
    anyone = config["requirement_map"]["anyone"]["requires_any"]["requirements"]

    assert anyone == [{"provider_name": "auth"}, {"allow_missing": {}}]
    assert "allow_missing_or_failed" not in str(config)


def test_a_permission_is_compared_as_a_whole() -> None:
    """With the entries of the claim, which is a list: `orders.read` is not `orders.read.all`."""
    demand = demands(Access(AccessKind.PERMISSION, "orders.read"))["envoy.filters.http.rbac"]
    (principal,) = demand["rbac"]["rules"]["policies"]["orders.read"]["principals"]
    matcher = principal["sourced_metadata"]["metadata_matcher"]

    assert matcher["path"] == [{"key": "payload"}, {"key": "permissions"}]
    assert matcher["value"] == {"list_match": {"one_of": {"string_match": {"exact": "orders.read"}}}}
