"""Requests that could mean one thing to the edge and another to a service: each means one thing, or is refused."""

import httpx
import pytest

from tests.integration.gateway.installation import Edge
from tests.integration.gateway.test_rest import reason
from tests.integration.gateway.tokens import bearer, token

pytestmark = pytest.mark.asyncio(loop_scope="package")

MALFORMED = (400, 3, "MALFORMED_REQUEST")


@pytest.mark.parametrize("query", ["id=8", "i%64=8", "id=7", "id=", "id", "a=1&%69%64=8"])
async def test_a_query_does_not_change_what_the_path_names(edge: Edge, http: httpx.AsyncClient, query: str) -> None:
    """Logs and proxies in front believe the path."""
    before = edge.backend.calls
    read = bearer(token("orders.read", "orders.cancel"))

    assert reason(await http.get(f"/api/v1/orders/7?{query}", headers=read)) == MALFORMED
    assert reason(await http.post(f"/api/v1/orders/7:cancel?{query}", json={}, headers=read)) == MALFORMED
    assert edge.backend.calls == before


async def test_a_body_does_not_change_what_the_path_names(http: httpx.AsyncClient) -> None:
    """It may repeat it."""
    cancel = bearer(token("orders.cancel"))
    other = await http.post("/api/v1/orders/7:cancel", json={"id": "8"}, headers=cancel)
    same = await http.post("/api/v1/orders/7:cancel", json={"id": "7"}, headers=cancel)

    assert reason(other) == MALFORMED
    assert (same.status_code, same.json()["id"]) == (200, "7")


@pytest.mark.parametrize("header", ["x-http-method-override", "x-http-method", "x-method-override"])
async def test_a_header_does_not_change_the_verb(http: httpx.AsyncClient, header: str) -> None:
    """Or a permission to read would do to write."""
    headers = {**bearer(token("orders.read")), header: "DELETE"}

    assert (await http.get("/api/v1/orders/7", headers=headers)).json()["id"] == "7"


@pytest.mark.parametrize("path", ["/api/v1/orders/7%3Acancel", "/api/v1/orders/7%3acancel"])
async def test_an_escaped_colon_is_part_of_an_id(http: httpx.AsyncClient, path: str) -> None:
    """Not the start of a verb, for the edge as for the service."""
    headers = bearer(token("orders.read", "orders.cancel"))

    assert (await http.get(path, headers=headers)).json()["id"] == "7:cancel"
    assert reason(await http.post(path, json={}, headers=headers)) == (405, 12, "METHOD_NOT_ALLOWED")


@pytest.mark.parametrize(
    "path", ["/api/v1/x/../orders/7", "/api//v1///orders/7", "/api/v1/./orders/7", "/api/v1/orders/%37"]
)
async def test_a_path_is_brought_into_one_form_first(http: httpx.AsyncClient, path: str) -> None:
    """What it means is decided once."""
    url = httpx.URL(http.base_url.copy_with(raw_path=path.encode()))

    assert (await http.get(url, headers=bearer(token("orders.read")))).json()["id"] == "7"
    assert (await http.get(url)).status_code == 401


@pytest.mark.parametrize("path", ["/api/v1/orders/7%2Fevents", "/api/v1/orders/..%2f..%2fdocs", "/api/v1/orders/7%5C8"])
async def test_an_escaped_slash_is_refused(http: httpx.AsyncClient, path: str) -> None:
    """Nobody agrees on what it means."""
    url = httpx.URL(http.base_url.copy_with(raw_path=path.encode()))

    assert reason(await http.get(url, headers=bearer(token("orders.read")))) == MALFORMED
