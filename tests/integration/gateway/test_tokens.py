"""Which access tokens the edge believes, and what it does with those that it doesn't."""

import base64
import json
import time

import grpc
import httpx
import pytest
from google.rpc.status_pb2 import Status
from joserfc.jwk import OKPKey

from gateway.errors import MESSAGES
from mesh.status import DETAILS_KEY, error_from
from ordermesh.order.v1 import order_service_pb2, order_service_pb2_grpc
from tests.integration.gateway.installation import Edge
from tests.integration.gateway.test_rest import reason
from tests.integration.gateway.tokens import bearer, token, unsigned

pytestmark = pytest.mark.asyncio(loop_scope="package")

READ = "orders.read"


def metadata(value: str) -> tuple[tuple[str, str], ...]:
    """Send a token over gRPC."""
    return tuple(bearer(value).items())


LONG_AGO = int(time.time()) - 3600
BAD_TOKENS = {
    "expired": token(READ, exp=LONG_AGO),
    "without an end": token(READ, exp=None),
    "not yet valid": token(READ, nbf=int(time.time()) + 3600),
    "for others": token(READ, aud="somebody else"),
    "from others": token(READ, iss="https://evil.example"),
    "of another key": token(READ, key=OKPKey.generate_key("Ed25519")),
    "unsigned": unsigned(READ),
    "cut short": token(READ)[:-5],
    "garbage": "garbage",
}


@pytest.mark.parametrize("bad", BAD_TOKENS.values(), ids=BAD_TOKENS)
async def test_a_bad_token_is_refused_also_where_none_is_needed(edge: Edge, http: httpx.AsyncClient, bad: str) -> None:
    """So that a client learns early that it has to log in again."""
    before = edge.backend.calls
    for path in ("/api/v1/orders/1", "/api/v1/inventory/A"):
        assert reason(await http.get(path, headers=bearer(bad))) == (401, 16, "TOKEN_MISSING_OR_INVALID")
    assert edge.backend.calls == before


async def test_no_token_is_refused_where_one_is_needed(http: httpx.AsyncClient) -> None:
    """With the challenge of RFC 6750, section 3."""
    reply = await http.get("/api/v1/orders/1")

    assert reason(reply) == (401, 16, "TOKEN_MISSING_OR_INVALID")
    assert reply.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("permissions", [(), ("orders.rea",), ("orders.read.all", "orders.create")])
async def test_a_token_without_the_permission_is_refused(http: httpx.AsyncClient, permissions: tuple[str, ...]) -> None:
    """Permissions compare as a whole."""
    reply = await http.get("/api/v1/orders/1", headers=bearer(token(*permissions)))

    assert reason(reply) == (403, 7, "PERMISSION_MISSING")


async def test_a_token_in_the_query_is_no_token(http: httpx.AsyncClient) -> None:
    """It would end up in logs."""
    assert (await http.get("/api/v1/orders/1", params={"access_token": token(READ)})).status_code == 401


async def test_services_get_the_claims_and_never_the_token(edge: Edge, http: httpx.AsyncClient) -> None:
    """As base64url, of a call that needs a token and of one that does not."""
    for path in ("/api/v1/orders/1", "/api/v1/inventory/A"):
        await http.get(path, headers=bearer(token(READ, sub="user-7")))

        claims = edge.backend.metadata["x-ordermesh-claims"]
        assert json.loads(base64.urlsafe_b64decode(claims + "=="))["sub"] == "user-7"
        assert "authorization" not in edge.backend.metadata


async def test_credentials_of_another_kind_stay_at_the_edge(edge: Edge, http: httpx.AsyncClient) -> None:
    """They are no token, so only public methods answer."""
    reply = await http.get("/api/v1/inventory/A", auth=("user", "password"))

    assert reply.status_code == 200
    assert "authorization" not in edge.backend.metadata


@pytest.mark.parametrize(
    ("credentials", "code", "why"),
    [
        ((), grpc.StatusCode.UNAUTHENTICATED, "TOKEN_MISSING_OR_INVALID"),
        (metadata(BAD_TOKENS["for others"]), grpc.StatusCode.UNAUTHENTICATED, "TOKEN_MISSING_OR_INVALID"),
        (metadata(BAD_TOKENS["expired"]), grpc.StatusCode.UNAUTHENTICATED, "TOKEN_MISSING_OR_INVALID"),
        (metadata(BAD_TOKENS["of another key"]), grpc.StatusCode.UNAUTHENTICATED, "TOKEN_MISSING_OR_INVALID"),
        (metadata(token("orders.create")), grpc.StatusCode.PERMISSION_DENIED, "PERMISSION_MISSING"),
    ],
    ids=["none", "for others", "expired", "of another key", "without the permission"],
)
async def test_a_grpc_client_gets_a_grpc_status(
    edge: Edge, credentials: tuple[tuple[str, str], ...], code: grpc.StatusCode, why: str
) -> None:
    """In words, without JSON in it, and with the reason in its details, as from a service."""
    async with grpc.aio.insecure_channel(edge.target) as channel:
        stub = order_service_pb2_grpc.OrderServiceStub(channel)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stub.GetOrder(order_service_pb2.GetOrderRequest(id="1"), metadata=credentials, timeout=5)

    assert refused.value.code() is code
    assert "{" not in (refused.value.details() or "")
    assert error_from(refused.value).reason == why
    told = Status.FromString(dict(refused.value.trailing_metadata())[DETAILS_KEY])
    assert (told.code, told.message) == (code.value[0], refused.value.details())


async def test_a_grpc_client_is_told_what_is_wrong_in_our_words(edge: Edge) -> None:
    """The same sentence as over REST."""
    async with grpc.aio.insecure_channel(edge.target) as channel:
        stub = order_service_pb2_grpc.OrderServiceStub(channel)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stub.GetOrder(order_service_pb2.GetOrderRequest(id="1"), metadata=metadata(token()), timeout=5)

    assert refused.value.details() == MESSAGES[403]
