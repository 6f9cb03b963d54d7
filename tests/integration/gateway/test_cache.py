"""Public reads that the edge answers by itself, for as long as their contract allows."""

import asyncio
import itertools

import httpx
import pytest

from mesh.contract import Contract
from tests.integration.gateway.backend import MISSING
from tests.integration.gateway.installation import Edge
from tests.integration.gateway.test_rest import reason
from tests.integration.gateway.tokens import bearer, token

pytestmark = pytest.mark.asyncio(loop_scope="package")

NUMBERS = itertools.count()
TTL = next(method.cache_ttl for method in Contract.load().methods if method.method == "GetProduct")


@pytest.fixture
def product() -> str:
    """Give the path of a product that nobody has asked for."""
    return f"/api/v1/products/p-{next(NUMBERS)}"


async def test_a_public_read_is_asked_of_the_service_once(edge: Edge, http: httpx.AsyncClient, product: str) -> None:
    """Everybody else gets what the first got, with its age, and with a request id of their own."""
    first = await http.get(product)
    calls = edge.backend.calls
    second = await http.get(product, headers={"x-request-id": "mine"})

    assert first.json() == second.json()
    assert edge.backend.calls == calls
    assert second.headers["x-request-id"] == "mine"
    assert int(second.headers["age"]) >= 0
    assert first.headers["cache-control"] == f"public, max-age={TTL.total_seconds():.0f}"  # type: ignore[union-attr]


async def test_a_reply_that_has_not_changed_is_not_sent_again(http: httpx.AsyncClient, product: str) -> None:
    """304 for who has it already; another one for who has something else."""
    etag = (await http.get(product)).headers["etag"]
    same = await http.get(product, headers={"if-none-match": f'"other", {etag}'})
    other = await http.get(product, headers={"if-none-match": '"other"'})

    assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", etag)
    assert other.status_code == 200


async def test_another_content_has_another_tag(edge: Edge, http: httpx.AsyncClient) -> None:
    """It is of what the reply says."""
    edge.backend.product_name = "one"
    first = await http.get("/api/v1/products?query=first")
    edge.backend.product_name = "other"
    second = await http.get("/api/v1/products?query=second")

    assert first.headers["etag"] != second.headers["etag"]


async def test_after_its_time_a_reply_is_asked_for_again(edge: Edge, http: httpx.AsyncClient, product: str) -> None:
    """A change is seen no later than the contract says."""
    edge.backend.product_name = "old"
    assert (await http.get(product)).json()["name"] == "old"
    edge.backend.product_name = "new"
    async with asyncio.timeout(30):
        while (await http.get(product)).json()["name"] == "old":  # noqa: ASYNC110 - Envoy's clock runs
            await asyncio.sleep(0.2)


async def test_many_who_ask_at_once_make_one_call(edge: Edge, http: httpx.AsyncClient) -> None:
    """Those who come while the first is being answered wait for its answer."""
    before = edge.backend.calls
    replies = await asyncio.gather(*(http.get("/api/v1/products?query=stampede") for _ in range(20)))

    assert {reply.status_code for reply in replies} == {200}
    assert edge.backend.calls == before + 1


async def test_a_reply_is_for_everybody(edge: Edge, http: httpx.AsyncClient, product: str) -> None:
    """The service is not told who asked first, so that it can't answer them alone."""
    await http.get(product, headers=bearer(token("products.write")))
    assert "x-ordermesh-claims" not in edge.backend.metadata
    calls = edge.backend.calls

    assert (await http.get(product)).status_code == 200
    assert edge.backend.calls == calls


async def test_a_client_cannot_make_the_edge_ask_again(edge: Edge, http: httpx.AsyncClient, product: str) -> None:
    """Or one client could take the cache from all."""
    await http.get(product)
    calls = edge.backend.calls
    for value in ("no-cache", "no-store", "max-age=0"):
        assert (await http.get(product, headers={"cache-control": value})).status_code == 200

    assert edge.backend.calls == calls


async def test_a_bad_token_gets_nothing_from_the_cache(http: httpx.AsyncClient, product: str) -> None:
    """Who asks is checked before."""
    await http.get(product)

    assert (await http.get(product, headers=bearer("garbage"))).status_code == 401


async def test_errors_are_not_kept(edge: Edge, http: httpx.AsyncClient) -> None:
    """They come in the one error shape, and each is asked for."""
    before = edge.backend.calls
    for _ in range(2):
        reply = await http.get(f"/api/v1/products/{MISSING}")
        assert reason(reply) == (404, 5, "PRODUCT_NOT_FOUND")
        assert reply.headers["cache-control"] == "no-store"

    assert edge.backend.calls == before + 2


async def test_what_is_not_public_is_never_kept(edge: Edge, http: httpx.AsyncClient) -> None:
    """Nor what has no `cache_ttl`."""
    headers = bearer(token("orders.read"))
    before = edge.backend.calls
    for path in ("/api/v1/orders/kept", "/api/v1/inventory/kept"):
        for _ in range(2):
            assert (await http.get(path, headers=headers)).headers["cache-control"] == "no-store"

    assert edge.backend.calls == before + 4


async def test_a_reply_from_the_cache_is_packed_as_the_client_wants(http: httpx.AsyncClient, product: str) -> None:
    """It is kept as it is, and packed on its way; the tag stays the same."""
    plain = await http.get(product, headers={"accept-encoding": "identity"})
    packed = await http.get(product, headers={"accept-encoding": "gzip"})

    assert packed.headers["content-encoding"] == "gzip"
    assert packed.json() == plain.json()
    assert packed.headers["etag"] == plain.headers["etag"]
