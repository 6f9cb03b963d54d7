"""Who may do what: tokens that are none, permissions, and what belongs to others."""

import base64
import json
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from deploy.native import secrets
from deploy.native.provision import postgres
from deploy.native.runtime import Runtime
from services.auth.keys import KeyVault, SigningKey, generate
from services.auth.tokens import Grant, TokenIssuer
from tests.e2e.shop import Client, Shop, order_of, reason_of


@pytest.fixture(scope="session")
def signing_key(stack: Runtime) -> SigningKey:
    """The key that auth signs with, taken out of its database with the install's own secret."""
    kept = secrets.ensure(stack.root, stack.topology.services)
    with postgres.connect(stack, stack.topology.services["auth"].database) as connection:
        id_, public, sealed, create_time, sign_time = _row(connection)
    return KeyVault(kept.key_encryption_key).open(id_, public, sealed, (create_time, sign_time), "")


Row = tuple[str, str, bytes, datetime, datetime]


def _row(connection: psycopg.Connection[Row]) -> Row:
    row = connection.execute(
        "SELECT id, public_key, sealed_private_key, create_time, sign_time FROM signing_keys"
        " WHERE sign_time <= now() ORDER BY sign_time DESC"
    ).fetchone()
    assert row is not None
    return row


def token(  # noqa: PLR0913 - each is what one test turns wrong
    stack: Runtime,
    key: SigningKey,
    *,
    user: str = "0190f0a4-0000-7000-8000-000000000001",
    issuer: str | None = None,
    audience: str | None = None,
    age: timedelta = timedelta(0),
) -> str:
    """Forge a customer's token, right in all that isn't said."""
    auth, now = stack.topology.auth, datetime.now(UTC)
    issue = TokenIssuer(issuer or auth.issuer, audience or auth.audience, timedelta(minutes=15)).issue
    return issue(Grant(user, ("customer",), {"orders.read", "orders.create"}), key, now - age).value


def test_a_token_forged_with_the_real_key_works(stack: Runtime, shop: Shop, signing_key: SigningKey) -> None:
    """So that the refusals below are for what they say."""
    assert shop.client(token(stack, signing_key)).http.get("/api/v1/orders").status_code == 200


def test_tokens_that_are_none_are_refused(stack: Runtime, shop: Shop, signing_key: SigningKey) -> None:
    """Expired, for others, from others, unsigned, of another key, cut short, garbage: 401 with an error body."""
    good = token(stack, signing_key)
    header = base64.urlsafe_b64encode(json.dumps({"alg": "none", "typ": "JWT"}).encode()).rstrip(b"=").decode()
    wrong = {
        "expired": token(stack, signing_key, age=timedelta(hours=2)),
        "another audience": token(stack, signing_key, audience="somebody else"),
        "another issuer": token(stack, signing_key, issuer="https://evil.example"),
        "another key": token(stack, generate(datetime.now(UTC))),
        "alg none": f"{header}.{good.split('.')[1]}.",
        "tampered": good[:-8] + "AAAAAAAA",
        "cut short": good.rsplit(".", 1)[0],
        "garbage": "garbage",
    }
    for what, bad in wrong.items():
        reply = shop.client(bad).http.get("/api/v1/orders")
        assert reply.status_code == 401, f"{what}: {reply.text}"
        assert reply.json()["code"] == 16, what
        assert reason_of(reply), what
        assert reply.headers["x-request-id"], what


def test_without_a_token_only_public_methods_answer(shop: Shop) -> None:
    """Looking is free, buying is not."""
    assert shop.stranger.http.get("/api/v1/products").status_code == 200
    for reply in (shop.stranger.http.get("/api/v1/orders"), shop.stranger.try_place(order_of("A"))):
        assert reply.status_code == 401
        assert reason_of(reply)


def test_what_belongs_to_others_does_not_exist(shop: Shop, customer: Client) -> None:
    """Order, events, cancelling, payment and notifications: NOT_FOUND, or an empty list."""
    order = customer.place(shop.stock(units=1))
    other = shop.customer()
    path = f"/api/v1/orders/{order['id']}"
    for reply in (
        other.http.get(path),
        other.http.get(f"{path}/events"),
        other.http.post(f"{path}:cancel", json={}),
        other.http.get(f"/api/v1/payments/{order['paymentId']}"),
    ):
        assert (reply.status_code, reply.json()["code"]) == (404, 5)
    assert other.get("/api/v1/payments", orderId=order["id"]).get("payments", []) == []
    assert other.get("/api/v1/notifications", orderId=order["id"]).get("notifications", []) == []
    assert other.get("/api/v1/orders").get("orders", []) == []
    assert customer.get(path)["state"] == "CONFIRMED"


def test_staff_see_what_belongs_to_customers(shop: Shop, customer: Client) -> None:
    """By the permission that the contract names for it."""
    order = customer.place(shop.stock(units=1))
    assert shop.admin.get(f"/api/v1/orders/{order['id']}")["customerId"] == customer.user["id"]
    listed = shop.admin.get("/api/v1/orders", customerId=customer.user["id"])["orders"]
    assert [each["id"] for each in listed] == [order["id"]]


def test_a_customer_may_not_do_what_staff_do(shop: Shop, customer: Client) -> None:
    """PERMISSION_DENIED, and nothing happens."""
    sku = shop.stock(units=1)
    receive = customer.http.post(f"/api/v1/inventory/{sku}:receive", json={"quantity": 100})
    create = customer.http.post("/api/v1/products", json={"name": "Mine", "variants": [{"sku": "X", "prices": []}]})
    for reply in (receive, create):
        assert (reply.status_code, reply.json()["code"]) == (403, 7)
    assert shop.available(sku) == 1


def test_nobody_becomes_somebody_by_headers(shop: Shop, customer: Client) -> None:
    """What the edge tells services can't be told by a client."""
    claims = base64.urlsafe_b64encode(
        json.dumps({"sub": customer.user["id"], "permissions": ["orders.read"], "exp": 2**40}).encode()
    )
    headers = {"x-ordermesh-claims": claims.decode().rstrip("="), "x-ordermesh-peer": "order"}
    assert shop.stranger.http.get("/api/v1/orders", headers=headers).status_code == 401


def test_internal_methods_have_no_way_in(customer: Client) -> None:
    """Not over REST, and not over gRPC either."""
    for path in ("ordermesh.inventory.v1.InventoryService/ReserveStock", "ordermesh.auth.v1.AuthService/GetUser"):
        headers = {"content-type": "application/grpc-web", "x-grpc-web": "1"}
        reply = customer.http.post(f"/{path}", content=b"\0\0\0\0\0", headers=headers)
        assert reply.headers.get("grpc-status", "") in {"5", "12"} or reply.status_code == 404, reply.headers
