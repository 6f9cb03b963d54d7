"""What came of an order is named, and customers stay within their limit."""

import pytest

from bench.load import OK
from bench.shop import ORDERS_PER_MINUTE, Json, customers_for, outcome


def refused(reason: str) -> Json:
    """Write a google.rpc.Status as the edge does."""
    info = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason, "domain": "ordermesh"}
    return {"code": 8, "message": "no", "details": [{"@type": "type.googleapis.com/google.rpc.RetryInfo"}, info]}


@pytest.mark.parametrize(
    ("status", "body", "named"),
    [
        (200, {"id": "1", "state": "CONFIRMED"}, OK),
        (200, {"id": "1", "state": "PENDING"}, "200 PENDING"),
        (200, {"id": "1", "state": "REJECTED"}, "200 REJECTED"),
        (200, {}, "200 without a state"),
        (429, refused("RATE_LIMITED"), "429 RATE_LIMITED"),
        (503, {"code": 14, "message": "no"}, "503"),
    ],
)
def test_only_a_confirmed_order_is_good(status: int, body: Json, named: str) -> None:
    """An order that is still pending was not placed yet, whatever its HTTP status says."""
    assert outcome(status, body) == named


@pytest.mark.parametrize("rate", [1.0, 100.0, 500.0])
def test_customers_are_enough_to_stay_within_the_limit(rate: float) -> None:
    """Each orders at half of what is allowed, or less."""
    assert rate * 60 / customers_for(rate) <= ORDERS_PER_MINUTE / 2
