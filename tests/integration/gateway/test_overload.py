"""More calls than a service can carry: some are refused at once, so that the others don't wait for ever."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path

import grpc
import httpx
import pytest_asyncio

from deploy.native import components
from ordermesh.order.v1 import order_service_pb2, order_service_pb2_grpc
from tests.integration.gateway.backend import SLOW
from tests.integration.gateway.conftest import checks_tokens
from tests.integration.gateway.installation import Edge, control_plane, envoy, install
from tests.integration.gateway.test_rest import reason
from tests.integration.gateway.tokens import bearer, token
from tests.integration.mesh.control_plane.processes import eventually

AT_ONCE = 2
READ = token("orders.read")


@pytest_asyncio.fixture
async def narrow(
    envoy_binary: Path, programs: components.Components, tmp_path: Path
) -> AsyncIterator[tuple[Edge, httpx.AsyncClient]]:
    """Run an edge that lets few through at once."""
    few = (f"overload.least_at_once={AT_ONCE}", f"overload.most_at_once={AT_ONCE}")
    edge = install(tmp_path, programs.protoc_gen_openapi, *few)
    async with (
        envoy(envoy_binary, edge),
        control_plane(edge),
        httpx.AsyncClient(base_url=edge.http, timeout=30) as http,
    ):
        await edge.backend.start()
        await checks_tokens(edge)
        yield edge, http
        await edge.backend.stop()


async def test_calls_beyond_what_a_service_carries_are_refused_at_once(narrow: tuple[Edge, httpx.AsyncClient]) -> None:
    """With the time to come again; those that were let through run on to their end, and then there is room again."""
    edge, http = narrow
    before = edge.backend.calls
    calls = [http.get(f"/api/v1/orders/{SLOW}", headers=bearer(READ)) for _ in range(5 * AT_ONCE)]
    replies = await asyncio.gather(*calls)
    refused = [reply for reply in replies if reply.status_code == 503]

    assert Counter(reply.status_code for reply in replies) == {504: AT_ONCE, 503: 4 * AT_ONCE}
    assert {reason(reply) for reply in refused} == {(503, 14, "SERVICE_UNAVAILABLE")}
    assert {reply.headers["retry-after"] for reply in refused} == {"1"}
    assert edge.backend.calls == before + AT_ONCE
    assert (await http.get("/api/v1/orders/1", headers=bearer(READ))).status_code == 200


async def test_one_service_in_trouble_does_not_hold_up_another(narrow: tuple[Edge, httpx.AsyncClient]) -> None:
    """Each has room of its own, which REST and gRPC share."""
    edge, http = narrow
    async with grpc.aio.insecure_channel(edge.target) as channel, asyncio.TaskGroup() as group:
        stub = order_service_pb2_grpc.OrderServiceStub(channel)
        before = edge.backend.calls
        for _ in range(AT_ONCE):
            group.create_task(http.get(f"/api/v1/orders/{SLOW}", headers=bearer(READ)))
        await eventually(lambda: edge.backend.calls == before + AT_ONCE)
        metadata = (("authorization", f"Bearer {READ}"),)
        code = await _code(stub.GetOrder(order_service_pb2.GetOrderRequest(id="1"), metadata=metadata, timeout=5))

        assert code is grpc.StatusCode.UNAVAILABLE
        assert (await http.get("/api/v1/inventory/A")).status_code == 200


async def test_those_who_watch_take_no_room(narrow: tuple[Edge, httpx.AsyncClient]) -> None:
    """A stream is open for long."""
    _, http = narrow
    watching = [http.get("/api/v1/orders/7:watch", headers=bearer(READ)) for _ in range(5 * AT_ONCE)]

    assert {reply.status_code for reply in await asyncio.gather(*watching)} == {200}


async def _code(call: Awaitable[object]) -> grpc.StatusCode:
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return error.code()
    return grpc.StatusCode.OK
