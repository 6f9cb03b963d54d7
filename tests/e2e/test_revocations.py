"""A token that was taken back opens nothing any more, seconds after, over REST and over gRPC."""

from collections.abc import Callable, Iterator

import grpc
import pytest

from deploy.native.runtime import Runtime
from ordermesh.order.v1 import order_service_pb2 as orders
from tests.e2e.shop import PASSWORD, Client, Shop, eventually, reason_of

ORDERS = "/api/v1/orders"
USERS = "/api/v1/auth/users"
ACCOUNTS = "/api/v1/auth/serviceAccounts"

Call = Callable[[Client], str]
"""Lists a client's orders; tells how that ended in the words of gRPC."""


@pytest.fixture
def over_grpc(stack: Runtime) -> Iterator[Call]:
    """Call the public port by gRPC, with the token of a client of REST."""
    with grpc.insecure_channel(f"127.0.0.1:{stack.port('edge', 'http')}") as channel:
        list_orders = channel.unary_unary(
            "/ordermesh.order.v1.OrderService/ListOrders",
            request_serializer=orders.ListOrdersRequest.SerializeToString,
            response_deserializer=orders.ListOrdersResponse.FromString,
        )

        def call(client: Client) -> str:
            shown = (("authorization", client.http.headers["authorization"]),)
            try:
                list_orders(orders.ListOrdersRequest(), metadata=shown, timeout=10)
            except grpc.RpcError as failure:
                return str(failure.code().name)
            return "OK"

        yield call


def works(client: Client, over_grpc: Call) -> bool:
    """Whether the token is good both ways."""
    return client.http.get(ORDERS).is_success and over_grpc(client) == "OK"


def refused(client: Client, over_grpc: Call) -> None:
    """Wait until the token is refused, and look at how."""
    eventually(lambda: client.http.get(ORDERS).is_error)
    reply = client.http.get(ORDERS)
    assert (reply.status_code, reason_of(reply)) == (401, "TOKEN_REVOKED")
    assert 'error="invalid_token"' in reply.headers["www-authenticate"]
    assert over_grpc(client) == "UNAUTHENTICATED"


def test_after_a_logout_the_same_token_is_refused(customer: Client, shop: Shop, over_grpc: Call) -> None:
    """That of the user's other session is not, and public pages answer as before."""
    other = shop.log_in(customer.user["email"], PASSWORD)
    assert works(customer, over_grpc)
    customer.post("/api/v1/auth/logout")
    refused(customer, over_grpc)
    assert works(other, over_grpc)
    assert customer.http.get("/api/v1/products").is_success


def test_a_user_whom_an_admin_locks_out_is_out(customer: Client, shop: Shop, over_grpc: Call) -> None:
    """With every token; who is let in again logs in again."""
    also = shop.log_in(customer.user["email"], PASSWORD)
    user = f"{USERS}/{customer.user['id']}"
    assert works(customer, over_grpc)
    assert works(also, over_grpc)
    shop.admin.post(f"{user}:disable")
    for each in (customer, also):
        refused(each, over_grpc)
    shop.admin.post(f"{user}:enable")
    again = shop.log_in(customer.user["email"], PASSWORD)
    eventually(lambda: works(again, over_grpc))
    refused(customer, over_grpc)


def test_another_password_ends_the_other_sessions_tokens(customer: Client, shop: Shop, over_grpc: Call) -> None:
    """And leaves the one that changed it."""
    other = shop.log_in(customer.user["email"], PASSWORD)
    fresh = "a fresh battery staple"
    customer.post("/api/v1/account/password:change", {"currentPassword": PASSWORD, "newPassword": fresh})
    refused(other, over_grpc)
    assert works(customer, over_grpc)


def test_a_programs_token_is_revoked_and_so_are_all_of_a_program_that_is_gone(shop: Shop, over_grpc: Call) -> None:
    """One by RFC 7009, the others with the account."""
    body = {"displayName": "A program", "permissions": ["orders.read", "orders.manage"]}
    account = shop.admin.post(ACCOUNTS, body)
    id_, secret = account["serviceAccount"]["id"], account["clientSecret"]
    first, second = (_program(shop, id_, secret) for _ in range(2))
    assert works(first, over_grpc)
    token = first.http.headers["authorization"].removeprefix("Bearer ")
    assert shop.stranger.http.post("/oauth2/revoke", data={"token": token}, auth=(id_, secret)).is_success
    refused(first, over_grpc)
    assert works(second, over_grpc)
    assert shop.admin.http.delete(f"{ACCOUNTS}/{id_}").is_success
    refused(second, over_grpc)


def _program(shop: Shop, id_: str, secret: str) -> Client:
    reply = shop.stranger.http.post("/oauth2/token", data={"grant_type": "client_credentials"}, auth=(id_, secret))
    return shop.client(reply.json()["access_token"])
