"""What clients meet while something behind the edge is away, and that all is well by itself when it is back."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import httpx
import pytest_asyncio

from deploy.native import components
from ordermesh.order.v1 import order_service_pb2, order_service_pb2_grpc
from tests.integration.gateway.installation import Edge, control_plane, envoy, install
from tests.integration.gateway.test_rest import reason
from tests.integration.gateway.tokens import bearer, token

UNAVAILABLE = (503, 14, "SERVICE_UNAVAILABLE")
USER = bearer(token("orders.read"))
PUBLIC, PROTECTED, PRODUCT = "/api/v1/inventory/A", "/api/v1/orders/1", "/api/v1/products/7"


@pytest_asyncio.fixture
async def lonely(
    envoy_binary: Path, programs: components.Components, tmp_path: Path
) -> AsyncIterator[tuple[Edge, httpx.AsyncClient]]:
    """Run an edge and nothing else."""
    edge = install(tmp_path, programs.protoc_gen_openapi)
    async with envoy(envoy_binary, edge), httpx.AsyncClient(base_url=edge.http) as http:
        yield edge, http


async def grpc_status(edge: Edge) -> grpc.StatusCode:
    """Ask for an order over gRPC."""
    metadata = tuple(USER.items())
    async with grpc.aio.insecure_channel(edge.target) as channel:
        try:
            request = order_service_pb2.GetOrderRequest(id="1")
            await order_service_pb2_grpc.OrderServiceStub(channel).GetOrder(request, metadata=metadata, timeout=5)
        except grpc.aio.AioRpcError as error:
            return error.code()
    return grpc.StatusCode.OK


async def works(http: httpx.AsyncClient, within: float) -> None:
    """Wait until both kinds of methods answer."""
    async with asyncio.timeout(within):
        for path in (PUBLIC, PROTECTED):
            while (await http.get(path, headers=USER)).is_error:  # noqa: ASYNC110 - Envoy finds out
                await asyncio.sleep(0.05)


async def test_an_edge_that_is_first_waits_for_the_others(lonely: tuple[Edge, httpx.AsyncClient]) -> None:
    """It serves what is its own, says that the rest isn't there yet, and needs nobody to tell it when it is."""
    edge, http = lonely
    assert (await http.get("/docs")).status_code == (await http.get("/healthz")).status_code == 200
    assert reason(await http.get(PUBLIC)) == UNAVAILABLE
    assert reason(await http.get(PROTECTED)) == (401, 16, "TOKEN_MISSING_OR_INVALID")
    assert reason(await http.get(PROTECTED, headers=USER)) == UNAVAILABLE
    assert await grpc_status(edge) is grpc.StatusCode.UNAVAILABLE

    async with control_plane(edge), _started(edge):
        await works(http, within=5)
        assert await grpc_status(edge) is grpc.StatusCode.OK


async def test_a_service_that_is_down_is_said_to_be_and_comes_back(lonely: tuple[Edge, httpx.AsyncClient]) -> None:
    """At once, in both protocols; tokens are checked meanwhile, since the edge has the keys."""
    edge, http = lonely
    async with control_plane(edge), _started(edge):
        await works(http, within=5)
        await edge.backend.stop()

        begun = time.monotonic()
        away = await http.get(PROTECTED, headers=USER)
        assert reason(away) == UNAVAILABLE
        assert away.headers["retry-after"] == "1"
        assert await grpc_status(edge) is grpc.StatusCode.UNAVAILABLE
        assert time.monotonic() - begun < 2
        assert reason(await http.get(PROTECTED, headers=bearer(token("orders.create")))) == (
            403,
            7,
            "PERMISSION_MISSING",
        )
        assert reason(await http.get(PROTECTED, headers=bearer("garbage"))) == (401, 16, "TOKEN_MISSING_OR_INVALID")

        await edge.backend.start()
        await works(http, within=5)


async def test_what_was_read_is_shown_while_the_service_is_down(lonely: tuple[Edge, httpx.AsyncClient]) -> None:
    """For the time that its contract allows; then the edge says that the service is away."""
    edge, http = lonely
    async with control_plane(edge), _started(edge):
        await works(http, within=5)
        shown = await http.get(PRODUCT)
        await edge.backend.stop()

        assert (await http.get(PRODUCT)).json() == shown.json()
        async with asyncio.timeout(30):
            while (late := await http.get(PRODUCT)).is_success:  # noqa: ASYNC110 - Envoy's clock runs
                await asyncio.sleep(0.2)
        assert reason(late) == UNAVAILABLE


async def test_an_edge_goes_on_without_the_control_plane(lonely: tuple[Edge, httpx.AsyncClient]) -> None:
    """With what it knows."""
    edge, http = lonely
    async with _started(edge):
        async with control_plane(edge):
            await works(http, within=5)
        await asyncio.sleep(0.3)

        assert (await http.get(PROTECTED, headers=USER)).status_code == 200


@contextlib.asynccontextmanager
async def _started(edge: Edge) -> AsyncIterator[None]:
    await edge.backend.start()
    try:
        yield
    finally:
        await edge.backend.stop()
