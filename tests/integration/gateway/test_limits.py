"""What a client may ask for at most, and how long it may take: the rest is refused before a service sees it."""

import asyncio
import contextlib
import gzip
import json
import zlib
from collections.abc import AsyncIterator

import httpx
import pytest

from tests.integration.gateway.installation import HEADERS_SECONDS, REQUEST_SECONDS, Edge
from tests.integration.gateway.test_rest import reason
from tests.integration.gateway.tokens import bearer, token
from tests.integration.mesh.control_plane.processes import HOST

pytestmark = pytest.mark.asyncio(loop_scope="package")

ORDERS = "/api/v1/orders"
SPACES = b" " * 50_000_000


@pytest.mark.parametrize(
    ("coding", "bomb"),
    [("gzip", gzip.compress(SPACES)), ("deflate", zlib.compress(SPACES)), ("br", b"{}"), ("gzip, br", b"{}")],
    ids=("gzip", "deflate", "br", "twice"),
)
async def test_a_packed_body_is_refused_unopened(edge: Edge, http: httpx.AsyncClient, coding: str, bomb: bytes) -> None:
    """However large it would become, and though all of it is small."""
    before = edge.backend.calls
    headers = bearer(token("orders.create")) | {"content-type": "application/json", "content-encoding": coding}
    reply = await http.post(ORDERS, content=bomb, headers=headers)

    assert reason(reply) == (415, 3, "MEDIA_TYPE_NOT_SUPPORTED")
    assert reply.headers["accept-encoding"] == "identity"
    assert edge.backend.calls == before


async def test_a_body_that_says_it_is_not_packed_is_taken(http: httpx.AsyncClient) -> None:
    """`identity` is no packing."""
    headers = bearer(token("orders.create")) | {"content-encoding": "identity"}

    assert (await http.post(ORDERS, json={}, headers=headers)).status_code == 200


async def test_a_packed_body_that_does_not_say_so_is_no_json(http: httpx.AsyncClient) -> None:
    """Nothing is guessed."""
    headers = bearer(token("orders.create")) | {"content-type": "application/json"}
    reply = await http.post(ORDERS, content=gzip.compress(json.dumps({}).encode()), headers=headers)

    assert reason(reply) == (400, 3, "MALFORMED_REQUEST")


@pytest.mark.parametrize(
    "headers",
    [{"x-large": "x" * 17_000}, {f"x-{number}": "1" for number in range(70)}],
    ids=["too large", "too many"],
)
async def test_headers_beyond_the_limits_are_refused(http: httpx.AsyncClient, headers: dict[str, str]) -> None:
    """In all, whichever of them it is."""
    assert reason(await http.get("/api/v1/inventory/A", headers=headers)) == (431, 11, "HEADERS_TOO_LARGE")


async def test_an_address_beyond_the_limits_is_refused(http: httpx.AsyncClient) -> None:
    """It counts as a header."""
    assert reason(await http.get("/api/v1/inventory/" + "A" * 17_000)) == (431, 11, "HEADERS_TOO_LARGE")


@contextlib.asynccontextmanager
async def connection(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Connect, and leave whatever happens."""
    reader, writer = await asyncio.open_connection(HOST, port)
    try:
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def test_a_client_that_does_not_finish_its_headers_is_let_go(edge: Edge) -> None:
    """Though its connection is fine."""
    async with connection(edge.options.ports.http) as (reader, writer), asyncio.timeout(HEADERS_SECONDS + 30):
        writer.write(b"GET /healthz HTTP/1.1\r\nhost: edge\r\n")

        assert b" 408 " in await reader.readline()


async def test_a_client_that_does_not_finish_its_body_is_let_go(edge: Edge) -> None:
    """And so is the service that waits for it."""
    async with connection(edge.options.ports.http) as (reader, writer), asyncio.timeout(REQUEST_SECONDS + 30):
        writer.write(
            b"POST /api/v1/orders HTTP/1.1\r\nhost: edge\r\ncontent-type: application/json\r\ncontent-length: 100\r\n"
            b"authorization: Bearer " + token("orders.create").encode() + b"\r\n\r\n{"
        )

        assert b" 408 " in await reader.readline()


async def test_a_client_that_does_not_finish_its_handshake_is_let_go(edge: Edge) -> None:
    """TCP alone is not worth a connection."""
    async with connection(edge.options.ports.https) as (reader, _), asyncio.timeout(HEADERS_SECONDS + 30):
        assert await reader.read() == b""
