"""Browsers that carry their token in a cookie: what works, and what other pages can't make them do."""

import httpx
import pytest

from mesh.headers import SESSION_COOKIE
from tests.integration.gateway.installation import Edge
from tests.integration.gateway.test_rest import reason
from tests.integration.gateway.tokens import bearer, token

pytestmark = pytest.mark.asyncio(loop_scope="package")

OURS = {"origin": "http://localhost:3000"}
THEIRS = {"origin": "https://evil.example"}
ORDERS = "/api/v1/orders"


def session(value: str, **others: str) -> dict[str, str]:
    """Send a token as a browser does, among other cookies."""
    return {"cookie": "; ".join(f"{name}={each}" for name, each in {**others, SESSION_COOKIE: value}.items())}


async def test_a_session_is_as_good_as_a_token_in_a_header(edge: Edge, http: httpx.AsyncClient) -> None:
    """And the service sees no more of it."""
    reply = await http.post(ORDERS, json={}, headers=session(token("orders.create"), theme="dark") | OURS)

    assert reply.status_code == 200
    assert "cookie" not in edge.backend.metadata
    assert edge.backend.metadata["x-ordermesh-claims"]


async def test_a_session_without_the_permission_is_refused(http: httpx.AsyncClient) -> None:
    """As with a token in a header."""
    assert (await http.post(ORDERS, json={}, headers=session(token()) | OURS)).status_code == 403


async def test_a_session_that_is_no_token_is_refused(http: httpx.AsyncClient) -> None:
    """Also where none is needed."""
    reply = await http.get("/api/v1/inventory/A", headers=session("garbage"))

    assert reason(reply) == (401, 16, "TOKEN_MISSING_OR_INVALID")


@pytest.mark.parametrize("origin", [THEIRS, {"origin": "null"}, {}], ids=["another page", "null", "none"])
@pytest.mark.parametrize("kind", ["application/json", "text/plain", "application/x-www-form-urlencoded"])
async def test_another_page_cannot_use_a_session(
    edge: Edge, http: httpx.AsyncClient, origin: dict[str, str], kind: str
) -> None:
    """Whatever content type it sends, of which browsers let some pass without asking us first."""
    before = edge.backend.calls
    headers = session(token("orders.create")) | origin | {"content-type": kind}
    reply = await http.post(ORDERS, content=b"{}", headers=headers)

    assert reply.status_code == 403
    assert edge.backend.calls == before


async def test_a_session_joined_to_other_cookies_in_any_way_is_seen(edge: Edge, http: httpx.AsyncClient) -> None:
    """Two headers of cookies, which no browser sends, are no way around."""
    headers = [("cookie", "a=b"), ("cookie", f"{SESSION_COOKIE}={token('orders.create')}"), *THEIRS.items()]
    before = edge.backend.calls

    assert (await http.post(ORDERS, json={}, headers=headers)).status_code == 403
    assert edge.backend.calls == before


async def test_the_edges_own_page_may_use_a_session(edge: Edge, http: httpx.AsyncClient) -> None:
    """It is where the request goes."""
    reply = await http.post(ORDERS, json={}, headers=session(token("orders.create")) | {"origin": edge.http})

    assert reply.status_code == 200


async def test_other_cookies_are_nobodys_session(http: httpx.AsyncClient) -> None:
    """A client with a token and, say, a load balancer's cookie needs no origin."""
    headers = bearer(token("orders.create")) | {"cookie": "balancer=1"}

    assert (await http.post(ORDERS, json={}, headers=headers)).status_code == 200


async def test_pages_of_ours_may_send_a_session_and_no_others(http: httpx.AsyncClient) -> None:
    """As browsers ask before they do."""
    asked = {"access-control-request-method": "POST"}
    ours = await http.options(ORDERS, headers=OURS | asked)
    theirs = await http.options(ORDERS, headers=THEIRS | asked)

    assert ours.headers["access-control-allow-credentials"] == "true"
    assert "access-control-allow-credentials" not in theirs.headers
