"""One order from the request to the e-mail, and what becomes of those that can't be had."""

import pytest

from tests.e2e.shop import Client, Shop, eventually, order_of, reason_of


def test_an_order_is_confirmed_paid_for_and_told_to_the_customer(shop: Shop, customer: Client) -> None:
    """The whole way: REST, gRPC, PostgreSQL, Debezium, Kafka, e-mail."""
    sku = shop.stock(units=3)
    order = customer.place(sku, quantity=2)
    assert order["state"] == "CONFIRMED"
    assert order["total"] == {"currencyCode": "EUR", "units": "39", "nanos": 980_000_000}
    assert order["customerId"] == customer.user["id"]
    assert shop.available(sku) == 1

    assert customer.get(f"/api/v1/orders/{order['id']}") == order
    (payment,) = customer.get("/api/v1/payments", orderId=order["id"])["payments"]
    assert (payment["state"], payment["authorizedAmount"]) == ("AUTHORIZED", order["total"])
    assert customer.get(f"/api/v1/payments/{payment['id']}")["id"] == order["paymentId"]

    def sent() -> object:
        notifications = customer.get("/api/v1/notifications", orderId=order["id"]).get("notifications", [])
        return [each for each in notifications if each["state"] == "SENT"]

    assert eventually(sent)
    (letter,) = eventually(lambda: shop.letters_about(order["id"]))
    assert customer.user["email"] in str(letter["To"])
    assert len(shop.letters_about(order["id"])) == 1


def test_every_step_of_an_order_is_an_event_that_says_who_and_why(shop: Shop, customer: Client) -> None:
    """Sequence without gaps, the customer as the actor, the request's id, and the order as it was afterwards."""
    reply = customer.try_place(order_of(shop.stock(units=1)))
    order, request_id = reply.json(), reply.headers["x-request-id"]
    events = customer.get(f"/api/v1/orders/{order['id']}/events")["events"]
    assert [int(event["sequence"]) for event in events] == [1, 2, 3]
    assert [event["type"].rpartition(".")[2] for event in events] == [
        "OrderCreated",
        "OrderStockReserved",
        "OrderConfirmed",
    ]
    assert {event["actor"] for event in events} == {f"user:{customer.user['id']}"}
    assert {event["requestId"] for event in events} == {request_id}
    assert events[-1]["payload"]["order"]["state"] == "CONFIRMED"


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        ("tok_declined", "CARD_DECLINED"),
        ("tok_insufficient_funds", "INSUFFICIENT_FUNDS"),
        ("tok_timeout", "GATEWAY_TIMEOUT"),
    ],
)
def test_a_payment_that_fails_leaves_nothing_held(shop: Shop, customer: Client, token: str, reason: str) -> None:
    """The order is REJECTED and says why; its stock can be sold to others at once."""
    sku = shop.stock(units=1)
    order = customer.place(sku, token=token)
    assert (order["state"], order["rejection"]["reason"]) == ("REJECTED", reason)
    assert shop.available(sku) == 1
    (payment,) = customer.get("/api/v1/payments", orderId=order["id"])["payments"]
    assert (payment["state"], payment["failureReason"]) == ("FAILED", reason)
    assert customer.place(sku)["state"] == "CONFIRMED"


def test_a_gateway_that_charges_and_then_hangs_up_is_asked_not_guessed(shop: Shop, customer: Client) -> None:
    """One authorization, one confirmed order."""
    order = customer.place(shop.stock(units=1), token="tok_lost_reply")
    assert order["state"] == "CONFIRMED"
    (payment,) = customer.get("/api/v1/payments", orderId=order["id"])["payments"]
    assert [entry["kind"] for entry in payment["ledger"]] == ["AUTHORIZATION"]


def test_more_than_is_in_stock_is_rejected_without_a_payment(shop: Shop, customer: Client) -> None:
    """Nobody is charged for what can't be had."""
    sku = shop.stock(units=1)
    order = customer.place(sku, quantity=2)
    assert (order["state"], order["rejection"]["reason"]) == ("REJECTED", "OUT_OF_STOCK")
    assert customer.get("/api/v1/payments", orderId=order["id"]).get("payments", []) == []
    assert shop.available(sku) == 1


def test_a_cancelled_order_gives_stock_and_money_back_and_tells_the_customer(shop: Shop, customer: Client) -> None:
    """Cancelling twice is the same as once."""
    sku = shop.stock(units=1)
    order = customer.place(sku)
    for _ in range(2):
        cancelled = customer.post(f"/api/v1/orders/{order['id']}:cancel", {"reason": "changed my mind"})
        assert (cancelled["state"], cancelled["cancelReason"]) == ("CANCELLED", "changed my mind")
    assert shop.available(sku) == 1
    (payment,) = customer.get("/api/v1/payments", orderId=order["id"])["payments"]
    assert payment["state"] == "VOIDED"
    expected_letters = 2
    eventually(lambda: len(shop.letters_about(order["id"])) == expected_letters)


def test_an_order_that_has_not_changed_is_not_sent_again(shop: Shop, customer: Client) -> None:
    """The tag of the reply is what a change may depend on, too; after the change it is another."""
    path = f"/api/v1/orders/{customer.place(shop.stock(units=1))['id']}"
    tag = customer.http.get(path).headers["etag"]
    seen = {"if-none-match": tag}
    same = customer.http.get(path, headers=seen)
    assert (same.status_code, same.content) == (304, b"")
    cancelled = customer.http.post(f"{path}:cancel", json={}, headers={"if-match": tag})
    again = customer.http.get(path, headers=seen)
    assert (cancelled.status_code, again.status_code, again.json()["state"]) == (200, 200, "CANCELLED")
    assert again.headers["etag"] != tag


def test_a_rejected_order_can_not_be_cancelled(shop: Shop, customer: Client) -> None:
    """There is nothing to give back."""
    order = customer.place(shop.stock(units=0))
    reply = customer.http.post(f"/api/v1/orders/{order['id']}:cancel", json={})
    assert (reply.status_code, reason_of(reply)) == (400, "ORDER_NOT_CANCELLABLE")


def test_orders_are_listed_newest_first_by_page_and_by_state(shop: Shop, customer: Client) -> None:
    """A cursor walks through all of them once."""
    sku = shop.stock(units=10)
    placed = [customer.place(sku)["id"] for _ in range(3)]
    customer.post(f"/api/v1/orders/{placed[0]}:cancel")
    seen, token = [], ""
    while True:
        page = customer.get("/api/v1/orders", pageSize=2, pageToken=token)
        seen += [order["id"] for order in page["orders"]]
        if not (token := page.get("nextPageToken", "")):
            break
    assert seen == placed[::-1]
    cancelled = customer.get("/api/v1/orders", state="CANCELLED")["orders"]
    assert [order["id"] for order in cancelled] == [placed[0]]
