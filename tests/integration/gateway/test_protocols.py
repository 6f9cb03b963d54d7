"""The same methods over gRPC, gRPC-Web and https."""

import base64
import json
import ssl
import struct
import warnings

import grpc
import httpx
import pytest

from mesh import errors
from mesh.status import error_from
from ordermesh.auth.v1 import auth_service_pb2, auth_service_pb2_grpc
from ordermesh.order.v1 import order_pb2, order_service_pb2, order_service_pb2_grpc
from tests.integration.gateway import http3
from tests.integration.gateway.backend import MISSING, SLOW
from tests.integration.gateway.installation import Edge
from tests.integration.gateway.test_rest import reason
from tests.integration.gateway.tokens import bearer, token

pytestmark = pytest.mark.asyncio(loop_scope="package")

GET_ORDER = "/ordermesh.order.v1.OrderService/GetOrder"


def credentials(*permissions: str) -> tuple[tuple[str, str], ...]:
    """Metadata with a token."""
    return (("authorization", f"Bearer {token(*permissions)}"),)


def frame(message: bytes) -> bytes:
    """Write a message as gRPC-Web does."""
    return struct.pack(">BI", 0, len(message)) + message


def decoded(text: bytes) -> bytes:
    """Read base64 that was written in several pieces, each with an end of its own."""
    return b"".join(base64.b64decode(text[begin : begin + 4]) for begin in range(0, len(text), 4))


def frames(body: bytes) -> list[tuple[int, bytes]]:
    """Read a gRPC-Web body: messages (0) and trailers (128)."""
    found = []
    while body:
        kind, length = struct.unpack(">BI", body[:5])
        found.append((kind, body[5 : 5 + length]))
        body = body[5 + length :]
    return found


async def test_grpc_passes_as_it_is(edge: Edge) -> None:
    """Errors with their details, too."""
    async with grpc.aio.insecure_channel(edge.target) as channel:
        stub = order_service_pb2_grpc.OrderServiceStub(channel)
        metadata = credentials("orders.read")
        found = await stub.GetOrder(order_service_pb2.GetOrderRequest(id="7"), metadata=metadata, timeout=5)
        with pytest.raises(grpc.aio.AioRpcError) as missing:
            await stub.GetOrder(order_service_pb2.GetOrderRequest(id=MISSING), metadata=metadata, timeout=5)

    assert found.id == "7"
    error = error_from(missing.value)
    assert isinstance(error, errors.NotFound)
    assert error.reason == "ORDER_NOT_FOUND"


async def test_an_internal_method_does_not_exist_for_the_outside(edge: Edge) -> None:
    """Whatever the token holds."""
    async with grpc.aio.insecure_channel(edge.target) as channel:
        stub = auth_service_pb2_grpc.AuthServiceStub(channel)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stub.GetUser(auth_service_pb2.GetUserRequest(id="1"), metadata=credentials("*"), timeout=5)

    assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED


@pytest.mark.parametrize("kind", ["application/grpc-web+proto", "application/grpc-web-text+proto"])
async def test_grpc_web_works_from_a_page(http: httpx.AsyncClient, kind: str) -> None:
    """In both of its encodings."""
    body = frame(order_service_pb2.GetOrderRequest(id="7").SerializeToString())
    text = "text" in kind
    headers = {**bearer(token("orders.read")), "content-type": kind, "accept": kind}
    reply = await http.post(GET_ORDER, content=base64.b64encode(body) if text else body, headers=headers)

    (_, message), (trailer, status) = frames(decoded(reply.content) if text else reply.content)
    assert order_pb2.Order.FromString(message).id == "7"
    assert trailer == 128
    assert b"grpc-status:0" in status


async def test_grpc_web_is_refused_in_its_own_way(http: httpx.AsyncClient) -> None:
    """The status is in the headers, and no JSON is in the body."""
    headers = {"content-type": "application/grpc-web+proto"}
    reply = await http.post(GET_ORDER, content=frame(b""), headers=headers)

    assert (reply.headers["grpc-status"], reply.content) == ("16", b"")


async def test_grpc_is_kept_away_from_rest_paths(http: httpx.AsyncClient) -> None:
    """They are no methods."""
    headers = {**bearer(token("orders.create")), "content-type": "application/grpc"}
    reply = await http.post("/api/v1/orders", content=frame(b""), headers=headers)

    assert reply.headers["grpc-status"] == "12"


@pytest.mark.parametrize(("http2", "version"), [(False, "HTTP/1.1"), (True, "HTTP/2")])
async def test_https_serves_the_same_over_both_versions(edge: Edge, http2: bool, version: str) -> None:  # noqa: FBT001
    """With the install's own certificate, chosen by ALPN."""
    async with httpx.AsyncClient(base_url=edge.https, verify=edge.trust, http2=http2) as client:
        reply = await client.get("/api/v1/inventory/A")

    assert (reply.status_code, reply.http_version) == (200, version)


async def test_grpc_passes_over_https(edge: Edge) -> None:
    """With the install's own certificate."""
    trust = grpc.ssl_channel_credentials(edge.authority.read_bytes())
    async with grpc.aio.secure_channel(edge.secure_target, trust) as channel:
        stub = order_service_pb2_grpc.OrderServiceStub(channel)
        request = order_service_pb2.GetOrderRequest(id="7")
        found = await stub.GetOrder(request, metadata=credentials("orders.read"), timeout=5)

    assert found.id == "7"


async def test_grpc_web_passes_over_https(edge: Edge) -> None:
    """As a browser would send it."""
    headers = {**bearer(token("orders.read")), "content-type": "application/grpc-web+proto"}
    body = frame(order_service_pb2.GetOrderRequest(id="7").SerializeToString())
    async with httpx.AsyncClient(base_url=edge.https, verify=edge.trust, http2=True) as client:
        reply = await client.post(GET_ORDER, content=body, headers=headers)

    assert order_pb2.Order.FromString(frames(reply.content)[0][1]).id == "7"


async def test_old_tls_is_refused(edge: Edge) -> None:
    """RFC 8996 gave up what came before 1.2."""
    old = edge.trust
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    async with httpx.AsyncClient(base_url=edge.https, verify=old) as client:
        with pytest.raises(httpx.ConnectError):
            await client.get("/healthz")


async def test_a_read_is_tried_again_and_a_write_is_not(edge: Edge, http: httpx.AsyncClient) -> None:
    """The contract says which: SAFE and ONCE."""
    read, write = bearer(token("orders.read")), bearer(token("orders.create"))
    edge.backend.failures = 1
    assert (await http.get("/api/v1/orders/1", headers=read)).status_code == 200

    edge.backend.failures, before = 1, edge.backend.calls
    assert (await http.post("/api/v1/orders", json={}, headers=write)).status_code == 503
    assert edge.backend.calls == before + 1


async def test_a_call_ends_when_its_time_is_up(http: httpx.AsyncClient) -> None:
    """A little after the deadline of the contract, in which the service could have answered itself."""
    reply = await http.get(f"/api/v1/orders/{SLOW}", headers=bearer(token("orders.read")))

    assert reason(reply) == (504, 4, "DEADLINE_EXCEEDED")
    assert 2 < reply.elapsed.total_seconds() < 3


async def test_a_call_over_grpc_ends_when_its_time_is_up(edge: Edge) -> None:
    """However long the client would wait."""
    async with grpc.aio.insecure_channel(edge.target) as channel:
        stub = order_service_pb2_grpc.OrderServiceStub(channel)
        request = order_service_pb2.GetOrderRequest(id=SLOW)
        with pytest.raises(grpc.aio.AioRpcError) as late:
            await stub.GetOrder(request, metadata=credentials("orders.read"), timeout=20)

    assert late.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED


async def test_a_client_may_have_less_time(edge: Edge) -> None:
    """Its own deadline goes with the call."""
    async with grpc.aio.insecure_channel(edge.target) as channel:
        stub = order_service_pb2_grpc.OrderServiceStub(channel)
        request = order_service_pb2.GetOrderRequest(id="7")
        await stub.GetOrder(request, metadata=credentials("orders.read"), timeout=1)

    assert edge.backend.time_remaining == pytest.approx(1, abs=0.5)


@pytest.mark.parametrize("size", [200_000, 3_000_000])
async def test_a_large_message_is_refused_over_grpc(edge: Edge, size: int) -> None:
    """As over REST."""
    before = edge.backend.calls
    async with grpc.aio.insecure_channel(edge.target) as channel:
        stub = order_service_pb2_grpc.OrderServiceStub(channel)
        request = order_service_pb2.CreateOrderRequest(payment_token="x" * size)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stub.CreateOrder(request, metadata=credentials("orders.create"), timeout=5)

    assert refused.value.code() is grpc.StatusCode.OUT_OF_RANGE
    assert edge.backend.calls == before


async def test_http3_works_and_is_told_of(edge: Edge) -> None:
    """With tokens and permissions as over the others; only who is encrypted is told."""
    async with httpx.AsyncClient(base_url=edge.https, verify=edge.trust) as secure, http3.connected(edge) as quic:
        told = (await secure.get("/api/v1/inventory/A")).headers["alt-svc"]
        found = await quic.get("/api/v1/orders/7", bearer(token("orders.read")))
        refused = await quic.get("/api/v1/orders/7")

    assert told.startswith(f'h3=":{edge.options.ports.https}"')
    assert (found.status, json.loads(found.content)["id"]) == (200, "7")
    assert refused.status == 401
