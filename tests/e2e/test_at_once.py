"""What happens when requests meet: the same one twice, or two that want the same."""

import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from tests.e2e.shop import Client, Shop, order_of, reason_of

BUYERS = 24


def test_the_same_request_twice_at_once_is_one_order_and_one_authorization(shop: Shop, customer: Client) -> None:
    """Both callers get the same answer."""
    sku = shop.stock(units=50)
    for _ in range(5):
        key = str(uuid.uuid4())
        with ThreadPoolExecutor(4) as at_once:
            replies = list(at_once.map(lambda _: customer.try_place(order_of(sku), key), range(4)))  # noqa: B023
        assert {reply.status_code for reply in replies} == {200}
        orders = [reply.json() for reply in replies]
        assert all(order == orders[0] for order in orders), orders
        (payment,) = customer.get("/api/v1/payments", orderId=orders[0]["id"])["payments"]
        assert len(payment["ledger"]) == 1
    assert shop.available(sku) == 45


def test_a_repeated_request_gets_its_first_answer_even_when_nothing_is_left(shop: Shop, customer: Client) -> None:
    """The answer is remembered, not made anew."""
    sku, key = shop.stock(units=1), str(uuid.uuid4())
    first = customer.place(sku, key=key)
    assert customer.place(sku, key=key) == first


def test_a_key_used_for_another_order_is_refused(shop: Shop, customer: Client) -> None:
    """A clear error; nothing is placed."""
    sku, key = shop.stock(units=5), str(uuid.uuid4())
    customer.place(sku, key=key)
    reply = customer.try_place(order_of(sku, quantity=2), key)
    assert (reply.status_code, reason_of(reply)) == (409, "IDEMPOTENCY_KEY_REUSED")
    assert shop.available(sku) == 4


def test_keys_of_different_customers_do_not_meet(shop: Shop, customer: Client) -> None:
    """A key is known by its customer."""
    sku, key = shop.stock(units=2), str(uuid.uuid4())
    assert customer.place(sku, key=key)["id"] != shop.customer().place(sku, key=key)["id"]


def test_two_customers_and_one_last_unit(shop: Shop, customer: Client) -> None:
    """One gets it; the other is told so at once."""
    for _ in range(5):
        sku, other = shop.stock(units=1), shop.customer()
        with ThreadPoolExecutor(2) as at_once:
            orders = list(at_once.map(lambda client: client.place(sku), (customer, other)))  # noqa: B023
        assert sorted(order["state"] for order in orders) == ["CONFIRMED", "REJECTED"]
        assert shop.available(sku) == 0


def test_as_many_are_sold_as_there_are_however_many_want_them(shop: Shop, customer: Client) -> None:
    """No oversell, no undersell, no error that asks to try again."""
    sku = shop.stock(units=7)
    with ThreadPoolExecutor(BUYERS) as at_once:
        replies = list(at_once.map(lambda _: customer.try_place(order_of(sku)), range(BUYERS)))
    assert {reply.status_code for reply in replies} == {200}
    assert Counter(reply.json()["state"] for reply in replies) == {"CONFIRMED": 7, "REJECTED": BUYERS - 7}
    assert shop.available(sku) == 0
