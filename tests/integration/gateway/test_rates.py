"""How often one may call."""

import asyncio
from collections import Counter

import grpc
import httpx
import pytest

from mesh.status import error_from
from ordermesh.order.v1 import order_service_pb2, order_service_pb2_grpc
from tests.integration.gateway import http3
from tests.integration.gateway.installation import STRICT_RATE, USER_RATE, Edge
from tests.integration.gateway.test_rest import reason
from tests.integration.gateway.tokens import bearer, token

pytestmark = pytest.mark.asyncio(loop_scope="package")

# As many as the backend answers within its deadline on a busy machine.
AT_ONCE = 8
LOGIN = {"email": "a@b.example", "password": "x"}


async def statuses(http: httpx.AsyncClient, path: str, headers: dict[str, str], count: int) -> Counter[int]:
    """Call many times, several at once."""
    turns = asyncio.Semaphore(AT_ONCE)

    async def call() -> int:
        async with turns:
            return (await http.get(path, headers=headers)).status_code

    return Counter(await asyncio.gather(*(call() for _ in range(count))))


async def test_a_user_who_calls_too_often_waits_and_nobody_else(http: httpx.AsyncClient) -> None:
    """Tokens of one user share the allowance; another user has their own, from the same address."""
    first, second = (bearer(token("orders.read", sub="the same user", jti=each)) for each in "12")
    spent = await statuses(http, "/api/v1/orders/1", first, USER_RATE)
    reply = await http.get("/api/v1/orders/1", headers=second)

    assert spent == {200: USER_RATE}
    assert reason(reply) == (429, 8, "RATE_LIMITED")
    assert int(reply.headers["retry-after"]) > 0
    assert reply.headers["ratelimit-remaining"] == "0"
    assert (await http.get("/api/v1/orders/1", headers=bearer(token("orders.read")))).status_code == 200


async def test_rest_and_grpc_share_the_allowance(edge: Edge, http: httpx.AsyncClient) -> None:
    """And gRPC says it in its own way."""
    spender = token("orders.read")
    await statuses(http, "/api/v1/orders/1", bearer(spender), USER_RATE)
    async with grpc.aio.insecure_channel(edge.target) as channel:
        stub = order_service_pb2_grpc.OrderServiceStub(channel)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stub.GetOrder(
                order_service_pb2.GetOrderRequest(id="1"), metadata=(("authorization", f"Bearer {spender}"),), timeout=5
            )

    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert error_from(refused.value).reason == "RATE_LIMITED"


async def test_a_reply_tells_what_is_left(http: httpx.AsyncClient) -> None:
    """In the words of the IETF draft on RateLimit headers, and in no others."""
    headers = (await http.get("/api/v1/orders/1", headers=bearer(token("orders.read")))).headers

    assert headers["ratelimit-limit"].startswith(f"{USER_RATE}")
    assert int(headers["ratelimit-remaining"]) == USER_RATE - 1
    assert int(headers["ratelimit-reset"]) >= 0
    assert not [name for name in headers if name.startswith("x-ratelimit")]


async def test_all_protocols_draw_from_one_allowance(edge: Edge, http: httpx.AsyncClient) -> None:
    """Whoever has spent it over http has nothing left over https and HTTP/3."""
    spender = bearer(token("orders.read"))
    await statuses(http, "/api/v1/orders/1", spender, USER_RATE)
    async with (
        httpx.AsyncClient(base_url=edge.https, verify=edge.trust, http2=True) as secure,
        http3.connected(edge) as quic,
    ):
        over_https = await secure.get("/api/v1/orders/1", headers=spender)
        over_quic = await quic.get("/api/v1/orders/1", spender)

    assert (over_https.status_code, over_quic.status) == (429, 429)


@pytest.mark.parametrize(
    "claim",
    [
        {"x-forwarded-for": "192.0.2.1"},
        {"x-real-ip": "192.0.2.1"},
        {"forwarded": "for=192.0.2.1"},
        {"true-client-ip": "192.0.2.1"},
        {"x-envoy-external-address": "192.0.2.1"},
        {"x-ordermesh-claims": "e30"},
    ],
    ids=lambda claim: next(iter(claim)),
)
async def test_no_header_gives_a_fresh_allowance(http: httpx.AsyncClient, claim: dict[str, str]) -> None:
    """An address or an identity that a client only claims is none."""
    await statuses(http, "/api/v1/inventory/A", {}, USER_RATE)

    assert (await http.get("/api/v1/inventory/A", headers=claim)).status_code == 429


async def test_callers_without_a_token_are_counted_by_address(edge: Edge, http: httpx.AsyncClient) -> None:
    """A user from the same address is not held up by them."""
    assert (await statuses(http, "/api/v1/inventory/A", {}, USER_RATE + 1))[429] == 1

    assert (await http.get("/api/v1/inventory/A", headers=bearer(token()))).status_code == 200
    elsewhere = httpx.AsyncHTTPTransport(local_address="127.0.2.1")
    async with httpx.AsyncClient(base_url=edge.http, transport=elsewhere) as other:
        assert (await other.get("/api/v1/inventory/A")).status_code == 200


async def test_login_has_a_strict_allowance_by_address(http: httpx.AsyncClient) -> None:
    """A token does not help, nor does an address that the client only claims."""
    guesses = [
        await http.post("/api/v1/auth/login", json=LOGIN, headers=headers)
        for headers in [{}, bearer(token()), {"x-forwarded-for": "192.0.2.1"}] * STRICT_RATE
    ]

    assert [guess.status_code for guess in guesses] == [200] * STRICT_RATE + [429] * 2 * STRICT_RATE
    assert (await http.get("/api/v1/inventory/A")).status_code == 200
