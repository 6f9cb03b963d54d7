"""Tokens that are refused before they end, by the file that Envoy takes up while it runs."""

import asyncio
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest

from deploy.native import components
from gateway import private_files
from gateway.revocations import Revoked, write
from mesh.status import error_from
from ordermesh.order.v1 import order_service_pb2, order_service_pb2_grpc
from tests.integration.gateway.installation import Edge, envoy, install
from tests.integration.gateway.test_rest import reason
from tests.integration.gateway.test_sessions import OURS, session
from tests.integration.gateway.tokens import bearer, token
from tests.integration.mesh.control_plane.processes import eventually

pytestmark = pytest.mark.asyncio(loop_scope="package")

ORDER = "/api/v1/orders/1"
REFUSED = (401, 16, "TOKEN_REVOKED")
KINDS = {"jti": "tokens", "sid": "sessions", "sub": "subjects"}
FAILURE = "config update failure"
PATIENCE_SECONDS = 20


@pytest.fixture(autouse=True)
def nothing_stays_revoked(edge: Edge) -> Iterator[None]:
    """The edge is everybody's."""
    yield
    write(edge.options.files.revoked, Revoked())


def claims() -> dict[str, Any]:
    """Make the ids of a token that nobody else has."""
    return {claim: str(uuid.uuid4()) for claim in KINDS}


def revoke(edge: Edge, **ids: str) -> None:
    """List some ids by the claim they are of, and nothing else."""
    write(edge.options.files.revoked, Revoked(**{KINDS[claim]: frozenset({each}) for claim, each in ids.items()}))


async def answered(http: httpx.AsyncClient, headers: dict[str, str], status: int) -> httpx.Response:
    """Ask until that is the answer: Envoy takes a file up by itself."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while (reply := await http.get(ORDER, headers=headers)).status_code != status:  # noqa: ASYNC110 - it is asked from outside
            await asyncio.sleep(0.1)
    return reply


@pytest.mark.parametrize("claim", KINDS)
async def test_a_token_is_refused_by_each_of_its_ids_while_that_is_listed(
    edge: Edge, http: httpx.AsyncClient, claim: str
) -> None:
    """Others pass, and so does the token when it is taken from the list."""
    ids = claims()
    revoked, other = bearer(token("orders.read", **ids)), bearer(token("orders.read", **claims()))
    assert (await http.get(ORDER, headers=revoked)).status_code == 200
    revoke(edge, **{claim: ids[claim]})
    reply = await answered(http, revoked, 401)
    assert reason(reply) == REFUSED
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.headers["www-authenticate"].startswith("Bearer ")
    assert 'error="invalid_token"' in reply.headers["www-authenticate"]
    assert (await http.get(ORDER, headers=other)).status_code == 200
    revoke(edge)
    await answered(http, revoked, 200)


async def test_an_id_is_compared_with_the_claim_it_is_of_and_as_a_whole(edge: Edge, http: httpx.AsyncClient) -> None:
    """A token's id says nothing of sessions, nor one that begins alike."""
    ids, marker = claims(), claims()
    revoked = bearer(token("orders.read", **marker))
    revoke(edge, jti=ids["sid"], sid=ids["sub"], sub=marker["sub"])
    await answered(http, revoked, 401)
    longer = {claim: f"{each}0" for claim, each in marker.items()}
    for others in (ids, longer):
        assert (await http.get(ORDER, headers=bearer(token("orders.read", **others)))).status_code == 200


async def test_a_token_without_ids_is_judged_as_before(edge: Edge, http: httpx.AsyncClient) -> None:
    """A claim that is missing or empty is in no list."""
    marker = claims()
    revoke(edge, **marker)
    await answered(http, bearer(token("orders.read", **marker)), 401)
    assert (await http.get(ORDER, headers=bearer(token("orders.read")))).status_code == 200
    assert (await http.get(ORDER, headers=bearer(token("orders.read", jti="", sid="-")))).status_code == 200
    assert (await http.get(ORDER)).json()["reason"] == "TOKEN_MISSING_OR_INVALID"


async def test_over_grpc_it_is_unauthenticated(edge: Edge, http: httpx.AsyncClient) -> None:
    """With the same words, which clients of gRPC show."""
    ids = claims()
    value = token("orders.read", **ids)
    revoke(edge, sid=ids["sid"])
    await answered(http, bearer(value), 401)
    async with grpc.aio.insecure_channel(edge.target) as channel:
        orders = order_service_pb2_grpc.OrderServiceStub(channel)
        with pytest.raises(grpc.aio.AioRpcError) as refusal:
            await orders.GetOrder(
                order_service_pb2.GetOrderRequest(id="1"), metadata=(("authorization", f"Bearer {value}"),)
            )
    assert refusal.value.code() is grpc.StatusCode.UNAUTHENTICATED
    assert "revoked" in (refusal.value.details() or "")
    assert error_from(refusal.value).reason == "TOKEN_REVOKED"


async def test_it_is_refused_before_its_permissions_are_looked_at(edge: Edge, http: httpx.AsyncClient) -> None:
    """Whoever holds it need not be told what it would have been good for."""
    ids = claims()
    revoke(edge, sub=ids["sub"])
    assert reason(await answered(http, bearer(token("products.write", **ids)), 401)) == REFUSED


async def test_where_no_token_is_needed_it_is_no_hindrance(edge: Edge, http: httpx.AsyncClient) -> None:
    """A browser that was logged out by force still sends the cookie, and its user logs in again."""
    ids = claims()
    value = token("orders.read", **ids)
    revoke(edge, sid=ids["sid"])
    assert reason(await answered(http, session(value), 401)) == REFUSED
    assert (await http.get("/api/v1/inventory/A", headers=session(value))).status_code == 200
    login = {"email": "ann@example.com", "password": "correct horse battery"}
    assert (await http.post("/api/v1/auth/login", json=login, headers=session(value) | OURS)).status_code == 200


@pytest.mark.parametrize("broken", ["{", "", '{"resources": [{"@type": "nonsense"}]}'])
async def test_a_broken_file_changes_nothing_and_a_good_one_heals_it(
    edge: Edge, http: httpx.AsyncClient, broken: str
) -> None:
    """What was known holds."""
    ids, next_ids = claims(), claims()
    first, second = (bearer(token("orders.read", **each)) for each in (ids, next_ids))
    revoke(edge, jti=ids["jti"])
    await answered(http, first, 401)
    failures = edge.log.read_text().count(FAILURE)
    private_files.replace(edge.options.files.revoked, broken)
    await eventually(lambda: edge.log.read_text().count(FAILURE) > failures)
    assert (await http.get(ORDER, headers=first)).status_code == 401
    revoke(edge, jti=next_ids["jti"])
    await answered(http, second, 401)
    await answered(http, first, 200)


async def test_an_edge_whose_file_is_broken_starts_all_the_same(
    envoy_binary: Path, programs: components.Components, tmp_path: Path
) -> None:
    """And so does one that nobody ever told anything: installing it makes an empty one."""
    edge = install(tmp_path, programs.protoc_gen_openapi)
    private_files.replace(edge.options.files.revoked, "{")
    async with envoy(envoy_binary, edge), httpx.AsyncClient(base_url=edge.http) as http:
        assert (await http.get("/healthz")).status_code == 200


async def test_thousands_are_listed_at_once(edge: Edge, http: httpx.AsyncClient) -> None:
    """Each is refused, the first and the last; calls of others pass meanwhile."""
    many = [claims() for _ in range(3000)]
    write(edge.options.files.revoked, Revoked(sessions=frozenset(each["sid"] for each in many)))
    for each in (many[0], many[-1]):
        await answered(http, bearer(token("orders.read", **each)), 401)
    assert (await http.get(ORDER, headers=bearer(token("orders.read", **claims())))).status_code == 200
