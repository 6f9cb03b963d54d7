"""Which documents are in force, and what they come to."""

import pytest

from mesh.control_plane.policy import DEFAULTS, Policies, judge
from tests.unit.mesh.control_plane.examples import METHODS, documents, policies

GOOD = {"maxConcurrentRequests": 7}


def rejection(name: str, document: object) -> str:
    """Say why a document is rejected."""
    judged = judge(Policies(), documents(1, **{name: document}), METHODS)
    assert not judged.accepted
    return judged.rejected[name]


def test_without_documents_the_defaults_hold() -> None:
    """They are written once, in the code."""
    assert Policies().of("order") == DEFAULTS


def test_a_service_s_document_goes_before_that_for_all() -> None:
    """What neither says is the default, field by field."""
    both = policies(
        _default={"maxConcurrentRequests": 7, "retry": {"maxRetries": 1}}, order={"maxConcurrentRequests": 8}
    )

    order, product = both.of("order"), both.of("product")

    assert (order.max_concurrent_requests, product.max_concurrent_requests) == (8, 7)
    assert (order.retry.max_retries, product.retry.max_retries) == (1, 1)
    assert order.retry.base_backoff == DEFAULTS.retry.base_backoff


def test_lists_and_canaries_are_replaced_as_a_whole() -> None:
    """Two layers must not add up to a split that nobody wrote."""
    versions = [{"version": "1", "percent": 60}], [{"version": "2", "percent": 60}]
    abort = {"percent": 1, "code": "INTERNAL"}
    both = policies(
        _default={"canary": {"versions": versions[0]}, "faults": [{"abort": abort}, {"abort": abort}]},
        order={"canary": {"versions": versions[1]}, "faults": [{"abort": abort}]},
    ).of("order")

    assert [each.version for each in both.canary.versions] == ["2"]
    assert len(both.faults) == 1


def test_zero_and_false_are_values() -> None:
    """They go before the layer below like any other."""
    both = policies(
        _default={"zones": {"preferOwn": True}}, order={"zones": {"preferOwn": False}, "retry": {"maxRetries": 0}}
    )

    assert both.of("product").zones.prefer_own
    assert not both.of("order").zones.prefer_own
    assert both.of("order").retry.max_retries == 0


@pytest.mark.parametrize(
    ("name", "document", "reason"),
    [
        ("order", {"retry": {"maxTries": 3}}, 'has no field named "maxTries" at "TrafficPolicy.retry"'),
        ("order", {"retry": {"maxRetries": 5}}, "retry.max_retries: must be less than or equal to 4"),
        ("order", {"outlierDetection": {"maxEjectionPercent": 100}}, "outlier_detection.max_ejection_percent: must be"),
        ("order", {"canary": {"versions": [{"version": "2", "percent": 101}]}}, "canary.versions[0].percent: must be"),
        ("order", {"faults": [{"methods": ["GetOrder"]}]}, "faults[0]: a fault has a delay, an abort or both"),
        ("order", {"faults": [{"methods": ["GetOrdr"], "abort": {"percent": 1, "code": "INTERNAL"}}]}, "methods[0]"),
        ("order", {"faults": [{"abort": {"percent": 1, "code": "OK"}}]}, "faults[0].abort.code: must not be"),
        ("ordre", {}, "no contract knows a service ordre; there are order, product"),
        ("order", "{", "property name enclosed in double quotes"),
        ("order", "[]", "must be a JSON object"),
        ("order", "", "Expecting value"),
        ("order", "[" * 100_000, "recursion"),
    ],
)
def test_a_document_that_breaks_a_rule_is_rejected_with_field_and_reason(
    name: str, document: object, reason: str
) -> None:
    """Whoever wrote it should not have to guess."""
    assert reason in rejection(name, document)


def test_shares_of_more_than_everything_are_rejected() -> None:
    """Each may be fine and all together not."""
    versions = [{"version": str(number), "percent": 40} for number in range(3)]

    assert "at most 100" in rejection("order", {"canary": {"versions": versions}})


def test_the_last_good_version_of_a_rejected_document_goes_on() -> None:
    """Until a good one is written, or it is deleted."""
    good = policies(order=GOOD)

    bad = judge(good, documents(2, order="{"), METHODS)
    worse = judge(bad, documents(3, order={"nonsense": 1}), METHODS)
    gone = judge(worse, documents(4), METHODS)

    assert [each.of("order").max_concurrent_requests for each in (bad, worse, gone)] == [7, 7, 1024]
    assert [set(each.rejected) for each in (bad, worse, gone)] == [{"order"}, {"order"}, set()]


def test_one_bad_document_does_not_hold_up_the_others() -> None:
    """Each is judged for itself."""
    judged = judge(Policies(), documents(order="{", product=GOOD), METHODS)

    assert (set(judged.accepted), set(judged.rejected)) == ({"product"}, {"order"})


def test_a_consul_that_lost_its_data_takes_no_policy_away() -> None:
    """Its index goes backwards, which a deletion never does."""
    good = judge(Policies(), documents(100, order=GOOD), METHODS)

    assert judge(good, documents(3), METHODS) == good
    assert not judge(good, documents(101), METHODS).accepted
