"""A running edge with all that it needs, which the tests of this folder share, and a client for each of them."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from deploy.native import components
from tests.integration.gateway.installation import Edge, control_plane, envoy, install
from tests.integration.gateway.tokens import bearer, token

# Each test comes from somewhere else on the loopback network.
ADDRESSES = (f"127.1.{number // 254}.{1 + number % 254}" for number in itertools.count())


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def edge(
    envoy_binary: Path, programs: components.Components, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Edge]:
    """Start Envoy before everything that it needs, as may happen."""
    edge = install(tmp_path_factory.mktemp("edge"), programs.protoc_gen_openapi)
    async with envoy(envoy_binary, edge), control_plane(edge):
        await edge.backend.start()
        await checks_tokens(edge)
        yield edge
        await edge.backend.stop()


async def checks_tokens(edge: Edge) -> None:
    """Wait until the edge has fetched the keys, which it does again and again until it has them."""
    headers = bearer(token("orders.read"))
    async with httpx.AsyncClient(base_url=edge.http) as http, asyncio.timeout(20):
        while (await http.get("/api/v1/orders/1", headers=headers)).is_error:  # noqa: ASYNC110 - Envoy fetches
            await asyncio.sleep(0.1)


@pytest_asyncio.fixture(loop_scope="package")
async def http(edge: Edge) -> AsyncIterator[httpx.AsyncClient]:
    """Speak REST to the edge, from an address of its own and so with an allowance of its own."""
    transport = httpx.AsyncHTTPTransport(local_address=next(ADDRESSES))
    async with httpx.AsyncClient(base_url=edge.http, transport=transport) as client:
        yield client
