"""Two edges that share one count, in Envoy's rate limit service with Valkey behind it."""

import contextlib
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import httpx
import pytest
import pytest_asyncio

from deploy.native import components
from ordermesh.order.v1 import order_service_pb2, order_service_pb2_grpc
from tests.integration.gateway.conftest import checks_tokens
from tests.integration.gateway.installation import STRICT_RATE, Edge, control_plane, envoy, install
from tests.integration.gateway.ratelimit import ratelimit
from tests.integration.gateway.test_rest import reason
from tests.integration.gateway.tokens import bearer, token
from tests.integration.mesh.control_plane.processes import Process, free_ports

pytestmark = pytest.mark.asyncio(loop_scope="module")

RATE = 10
DAY = ("rates.DEFAULT.seconds=86_400", "rates.STRICT.seconds=86_400", f"rates.DEFAULT.burst={RATE}")
ORDER = "/api/v1/orders/1"


@dataclass(frozen=True, slots=True)
class Pair:
    """Two edges with the service that both ask."""

    edges: tuple[Edge, Edge]
    clients: tuple[httpx.AsyncClient, httpx.AsyncClient]
    service: Process


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pair(
    envoy_binary: Path, programs: components.Components, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Pair]:
    """Run everything."""
    folder = tmp_path_factory.mktemp("shared")
    (port,) = free_ports(1)
    async with contextlib.AsyncExitStack() as held:
        edges = tuple(
            install(folder / name, programs.protoc_gen_openapi, *DAY, shared_rates=port) for name in ("one", "two")
        )
        settings = edges[0].options.settings
        service = await held.enter_async_context(ratelimit(folder, programs, settings, port))
        for edge in edges:
            await edge.backend.start()
            held.push_async_callback(edge.backend.stop)
            await held.enter_async_context(control_plane(edge))
            await held.enter_async_context(envoy(envoy_binary, edge))
            await checks_tokens(edge)
        one, two = [await held.enter_async_context(httpx.AsyncClient(base_url=edge.http)) for edge in edges]
        yield Pair((edges[0], edges[1]), (one, two), service)


async def test_what_is_spent_at_one_edge_is_spent_at_the_other(pair: Pair) -> None:
    """For each user; another one has an allowance of their own."""
    spender, other = bearer(token("orders.read")), bearer(token("orders.read"))
    one, two = pair.clients
    spent = Counter([(await each.get(ORDER, headers=spender)).status_code for each in (one, two) * (RATE // 2)])
    refused = await one.get(ORDER, headers=spender)

    assert spent == {200: RATE}
    assert reason(refused) == (429, 8, "RATE_LIMITED")
    assert (await two.get(ORDER, headers=spender)).status_code == 429
    assert (await two.get(ORDER, headers=other)).status_code == 200


async def test_a_reply_tells_what_is_left_at_all_edges(pair: Pair) -> None:
    """And a refusal when to come again."""
    spender = bearer(token("orders.read"))
    one, two = pair.clients
    left = [int((await each.get(ORDER, headers=spender)).headers["ratelimit-remaining"]) for each in (one, two, one)]
    for _ in range(RATE):
        refused = await two.get(ORDER, headers=spender)

    assert left == [RATE - 1, RATE - 2, RATE - 3]
    assert int(refused.headers["retry-after"]) > 0


async def test_guesses_at_secrets_are_counted_by_address_at_all_edges(pair: Pair) -> None:
    """Logins, whoever they are of."""
    login = {"email": "a@b.example", "password": "x"}
    one, two = pair.clients
    guesses = [(await each.post("/api/v1/auth/login", json=login)).status_code for each in (one, two) * STRICT_RATE]

    assert Counter(guesses) == {200: STRICT_RATE, 429: STRICT_RATE}


async def test_grpc_draws_from_the_same_count(pair: Pair) -> None:
    """And is told in its own way."""
    spender = token("orders.read")
    for _ in range(RATE):
        await pair.clients[0].get(ORDER, headers=bearer(spender))
    async with grpc.aio.insecure_channel(pair.edges[1].target) as channel:
        stub = order_service_pb2_grpc.OrderServiceStub(channel)
        request, metadata = order_service_pb2.GetOrderRequest(id="1"), (("authorization", f"Bearer {spender}"),)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stub.GetOrder(request, metadata=metadata, timeout=5)

    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_without_the_service_each_edge_counts_for_itself(pair: Pair) -> None:
    """Nobody is turned away for it, and nobody goes without a limit. The last test of this file."""
    await pair.service.stop()
    spender = bearer(token("orders.read"))
    found = [
        Counter([(await each.get(ORDER, headers=spender)).status_code for _ in range(RATE + 1)])
        for each in pair.clients
    ]

    assert found == [{200: RATE, 429: 1}] * 2
