"""Requests that are wrong: each gets an error that says what and where, and nothing is placed."""

import uuid
from typing import Any

import pytest

from services.common import paging
from tests.e2e.shop import Client, Json, Shop, fields_of, order_of, reason_of

WRONG_ORDERS: dict[str, tuple[Json, str]] = {
    "no lines": ({"lines": []}, "lines"),
    "no quantity": ({"lines": [{"sku": "A"}]}, "lines[0].quantity"),
    "negative quantity": ({"lines": [{"sku": "A", "quantity": -1}]}, "lines[0].quantity"),
    "a SKU with spaces": ({"lines": [{"sku": "A B", "quantity": 1}]}, "lines[0].sku"),
    "the same SKU twice": ({"lines": [{"sku": "A", "quantity": 1}, {"sku": "A", "quantity": 2}]}, "lines"),
    "a region in words": ({"shippingAddress": {"regionCode": "Germany"}}, "shippingAddress"),
    "no payment token": ({"paymentToken": ""}, "paymentToken"),
    "a card number": ({"paymentToken": "4111 1111 1111 1111"}, "paymentToken"),
}


@pytest.mark.parametrize(("change", "field"), WRONG_ORDERS.values(), ids=WRONG_ORDERS)
def test_a_wrong_order_is_refused_and_says_which_field(customer: Client, change: Json, field: str) -> None:
    """Over REST as over gRPC: INVALID_ARGUMENT with the field's path."""
    reply = customer.try_place({**order_of("A"), **change})
    assert (reply.status_code, reply.json()["code"]) == (400, 3)
    assert field in fields_of(reply), reply.text
    assert customer.get("/api/v1/orders").get("orders", []) == []


def test_an_unknown_sku_is_named_by_its_line(shop: Shop, customer: Client) -> None:
    """The good line doesn't help the bad one."""
    body = order_of(shop.stock(units=1))
    body["lines"] = [*body["lines"], {"sku": "NO-SUCH-SKU", "quantity": 1}]
    reply = customer.try_place(body)
    assert (reply.status_code, reason_of(reply)) == (400, "SKU_NOT_FOUND")
    assert fields_of(reply) == {"lines[1].sku"}


@pytest.mark.parametrize(
    "content",
    [b"{", b"not json", b'{"lines": "many"}', b'{"lines": [{"sku": "A", "quantity": "many"}]}', b"[]", b"\xff\xfe"],
)
def test_what_is_no_json_of_ours_is_refused_in_the_same_shape(customer: Client, content: bytes) -> None:
    """Envoy answers these itself, with the same error body as a service."""
    headers = {"content-type": "application/json"}
    reply = customer.http.post("/api/v1/orders", content=content, headers=headers)
    assert (reply.status_code, reply.json()["code"]) == (400, 3), reply.text
    assert reason_of(reply)


@pytest.mark.parametrize(
    ("verb", "path", "status"),
    [
        ("GET", "/api/v1/nothing", 404),
        ("GET", "/api/v1/orders/not-a-uuid", 400),
        ("GET", f"/api/v1/orders/{uuid.UUID(int=7)}", 404),
        ("GET", f"/api/v1/products/{uuid.UUID(int=7)}", 404),
        ("GET", "/api/v1/orders?pageToken=broken", 400),
        ("GET", "/api/v1/orders?pageSize=100000", 400),
    ],
)
def test_errors_have_one_shape_everywhere(customer: Client, verb: str, path: str, status: int) -> None:
    """A problem that is a google.rpc.Status too, with the request's id also in the header."""
    reply = customer.http.request(verb, path)
    assert reply.status_code == status, reply.text
    assert reply.headers["content-type"] == "application/problem+json"
    assert reason_of(reply)
    assert reply.headers["x-request-id"]


def test_a_made_up_cursor_is_refused(customer: Client) -> None:
    """Page tokens are no secret: anybody can write one of the right form."""
    made_up = paging.encode("no cursor", {"owner": customer.user["id"], "customer_id": None, "state": None})
    reply = customer.http.get("/api/v1/orders", params={"pageToken": made_up})
    assert (reply.status_code, reply.json()["code"]) == (400, 3), reply.text


@pytest.mark.parametrize("name", ["A\0B", "A\r\nBcc: everybody@example.com"])
def test_a_name_that_is_no_line_of_text_is_refused(shop: Shop, name: str) -> None:
    """It stands in the headers of e-mails, and not every store takes NUL."""
    body = {"email": "nul@example.com", "password": "correct horse battery", "displayName": name}
    reply = shop.stranger.http.post("/api/v1/auth/register", json=body)
    assert (reply.status_code, fields_of(reply)) == (400, {"displayName"}), reply.text


def test_a_body_that_is_too_large_is_refused(customer: Client) -> None:
    """Before a service sees it."""
    body: dict[str, Any] = {**order_of("A"), "paymentToken": "x" * 2_000_000}
    reply = customer.try_place(body)
    assert reply.status_code == 413
    assert reason_of(reply)


def test_an_error_tells_nothing_about_the_inside(customer: Client) -> None:
    """No trace, no SQL, no address."""
    for path in ("/api/v1/orders/%00", "/api/v1/orders/'; DROP TABLE orders;--", "/api/v1/products?query=%00"):
        reply = customer.http.get(path)
        assert reply.status_code < 500, reply.text
        for inside in ("Traceback", "SELECT", "psycopg", "127.0.0.1:"):
            assert inside not in reply.text
