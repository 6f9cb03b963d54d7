"""Reads of what is not public, on condition: the ETag of a reply, and 304."""

import httpx
import pytest

from tests.integration.gateway.backend import MISSING
from tests.integration.gateway.installation import Edge
from tests.integration.gateway.test_rest import reason
from tests.integration.gateway.tokens import bearer, token

pytestmark = pytest.mark.asyncio(loop_scope="package")
PATH = "/api/v1/orders/7"
READ = bearer(token("orders.read", "orders.cancel"))


@pytest.mark.parametrize("packed", ["identity", "gzip", "zstd"])
async def test_the_etag_of_a_thing_is_a_header(http: httpx.AsyncClient, packed: str) -> None:
    """As it is in the body, in quotes, however the reply is packed."""
    reply = await http.get(PATH, headers=READ | {"accept-encoding": packed})

    assert reply.headers["etag"] == f'"{reply.json()["etag"]}"' == '"3"'
    assert reply.headers["cache-control"] == "no-store"
    assert "x-ordermesh-etag" not in reply.headers


@pytest.mark.parametrize("tags", ['"3"', 'W/"3"', '"1", "3"', "*"])
@pytest.mark.parametrize("packed", ["identity", "gzip"])
async def test_who_has_it_already_gets_no_body(edge: Edge, http: httpx.AsyncClient, tags: str, packed: str) -> None:
    """304, with the tag; the service is asked all the same, whether they may see it among other things."""
    before = edge.backend.calls
    reply = await http.get(PATH, headers=READ | {"if-none-match": tags, "accept-encoding": packed})

    assert (reply.status_code, reply.content, reply.headers["etag"]) == (304, b"", '"3"')
    assert "content-type" not in reply.headers
    assert edge.backend.calls == before + 1
    assert "if-none-match" not in edge.backend.metadata


@pytest.mark.parametrize("tags", ['"33"', '"13"', "3", '"2", "4"', ""])
async def test_who_has_something_else_gets_the_whole(http: httpx.AsyncClient, tags: str) -> None:
    """Also who writes a tag without its quotes."""
    reply = await http.get(PATH, headers=READ | {"if-none-match": tags})

    assert (reply.status_code, reply.json()["id"]) == (200, "7")


async def test_a_condition_hides_no_refusal(http: httpx.AsyncClient) -> None:
    """Nobody learns by it what they may not read."""
    anything = {"if-none-match": "*"}

    assert reason(await http.get(f"/api/v1/orders/{MISSING}", headers=READ | anything))[0] == 404
    assert (await http.get(PATH, headers=anything)).status_code == 401
    assert (await http.get(PATH, headers=bearer(token("products.write")) | anything)).status_code == 403


async def test_the_etag_of_a_reply_is_what_a_change_may_depend_on(edge: Edge, http: httpx.AsyncClient) -> None:
    """It is sent as it came."""
    tag = (await http.get(PATH, headers=READ)).headers["etag"]
    await http.post(f"{PATH}:cancel", json={}, headers=READ | {"if-match": tag})

    assert edge.backend.metadata["if-match"] == tag


async def test_nobody_sets_the_tag_of_a_reply(http: httpx.AsyncClient) -> None:
    """Neither by a header nor by what is in a text of the thing; what has no tag gets none."""
    forged = {"x-ordermesh-etag": '"9"', "etag": '"9"'}
    quoted = await http.get("/api/v1/orders/%22etag%22%3A%229%22", headers=READ | forged)

    assert (quoted.json()["id"], quoted.headers["etag"]) == ('"etag":"9"', '"3"')
    assert "etag" not in (await http.get("/api/v1/inventory/A", headers=forged)).headers
    assert "etag" not in (await http.post("/api/v1/orders/7:cancel", json={}, headers=READ)).headers
