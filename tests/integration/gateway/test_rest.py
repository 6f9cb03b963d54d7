"""What a REST client meets at the edge."""

import json
import uuid
from collections.abc import AsyncIterator

import httpx
import pytest

from tests.integration.gateway.backend import MISSING
from tests.integration.gateway.installation import Edge
from tests.integration.gateway.tokens import bearer, token

pytestmark = pytest.mark.asyncio(loop_scope="package")


def reason(reply: httpx.Response) -> tuple[int, int, str]:
    """HTTP status, code and reason of an error; fails unless it has the one shape of all errors."""
    assert reply.headers["content-type"] == "application/problem+json", reply.text
    body = reply.json()
    (info,) = [each for each in body["details"] if each["@type"].endswith("/google.rpc.ErrorInfo")]
    assert body["message"] == body["detail"]
    assert body["type"] == f"/docs#{body['reason']}"
    assert (body["status"], body["reason"]) == (reply.status_code, info["reason"])
    assert body["title"] == body["reason"].replace("_", " ").capitalize()
    return reply.status_code, body["code"], info["reason"]


async def test_a_public_method_needs_no_token(http: httpx.AsyncClient) -> None:
    """Fields without a value are there all the same, in the names of JSON."""
    reply = await http.get("/api/v1/inventory/SKU-1")

    assert reply.status_code == 200
    nothing = dict.fromkeys(("available", "onHand", "reserved", "backordered", "backorderable"), "0")
    assert reply.json() == {"sku": "SKU-1", **nothing, "levels": []}


@pytest.mark.parametrize(
    ("path", "schema"),
    [("/api/v1/inventory/SKU-1", "Stock"), ("/api/v1/orders/7", "Order"), ("/api/v1/products/7", "Product")],
)
async def test_what_is_written_of_a_thing_without_values_is_what_its_schema_requires(
    http: httpx.AsyncClient, path: str, schema: str
) -> None:
    """Neither less, or typed clients would trip; nor more, or they would ask for nothing."""
    reply = await http.get(path, headers=bearer(token("orders.read")))
    described = (await http.get("/openapi.json")).json()["components"]["schemas"][schema]

    assert sorted(reply.json()) == sorted(described["required"])


async def test_a_protected_method_works_with_the_permission(http: httpx.AsyncClient) -> None:
    """The body becomes the request, and what the service answers the reply."""
    body = {"lines": [{"sku": "A", "quantity": 1}]}
    reply = await http.post("/api/v1/orders", json=body, headers=bearer(token("orders.create")))

    assert reply.status_code == 200
    assert reply.json()["lines"][0]["sku"] == "A"


async def test_a_custom_verb_is_a_method_of_its_own(http: httpx.AsyncClient) -> None:
    """`{id}:cancel` isn't an id."""
    reply = await http.post("/api/v1/orders/7:cancel", json={}, headers=bearer(token("orders.cancel")))

    assert (reply.json()["id"], reply.json()["state"]) == ("7", "CANCELLED")


async def test_a_stream_of_answers_comes_as_server_sent_events(http: httpx.AsyncClient) -> None:
    """One event for each, as browsers read them."""
    reply = await http.get("/api/v1/orders/7:watch", headers=bearer(token("orders.read")))

    assert reply.headers["content-type"].startswith("text/event-stream")
    events = [json.loads(line.removeprefix("data: ")) for line in reply.text.splitlines() if line]
    assert [(each["id"], each["state"]) for each in events] == [("7", "PENDING"), ("7", "CONFIRMED")]


async def test_an_error_of_a_service_keeps_its_details(http: httpx.AsyncClient) -> None:
    """The details that travel in a gRPC trailer become the body."""
    reply = await http.get(f"/api/v1/orders/{MISSING}", headers=bearer(token("orders.read")))

    assert reason(reply) == (404, 5, "ORDER_NOT_FOUND")


@pytest.mark.parametrize(
    ("verb", "path", "expected"),
    [
        ("GET", "/api/v1/nothing", (404, 5, "ROUTE_NOT_FOUND")),
        ("GET", "/api/v2/orders/1", (404, 5, "ROUTE_NOT_FOUND")),
        ("DELETE", "/api/v1/orders/1", (405, 12, "METHOD_NOT_ALLOWED")),
        ("GET", "/api/v1/orders/1:cancel", (405, 12, "METHOD_NOT_ALLOWED")),
        ("GET", "/api/v1/inventory/a%2Fb", (400, 3, "MALFORMED_REQUEST")),
        ("GET", "/api/v1/inventory/a?nonsense=1", (400, 3, "MALFORMED_REQUEST")),
        ("POST", "/ordermesh.order.v1.OrderService/GetOrder", (415, 3, "MEDIA_TYPE_NOT_SUPPORTED")),
        ("POST", "/ordermesh.auth.v1.AuthService/GetUser", (404, 5, "ROUTE_NOT_FOUND")),
    ],
)
async def test_what_is_not_there_is_said_in_the_one_error_shape(
    http: httpx.AsyncClient, verb: str, path: str, expected: tuple[int, int, str]
) -> None:
    """Paths, verbs, queries and content types that no contract has."""
    assert reason(await http.request(verb, path, headers=bearer(token("orders.read")))) == expected


async def test_a_wrong_verb_is_told_the_right_ones(http: httpx.AsyncClient) -> None:
    """As RFC 9110 wants, section 15.5.6."""
    assert (await http.delete("/api/v1/orders")).headers["allow"] == "GET, POST"


@pytest.mark.parametrize("content", ["{", "not json", "[]", '{"lines": "many"}', '{"lines": [{"quantity": "many"}]}'])
async def test_what_is_no_json_of_ours_is_refused(edge: Edge, http: httpx.AsyncClient, content: str) -> None:
    """Before a service sees it."""
    before = edge.backend.calls
    reply = await http.post("/api/v1/orders", content=content, headers=bearer(token("orders.create")))

    assert reason(reply) == (400, 3, "MALFORMED_REQUEST")
    assert edge.backend.calls == before


async def test_a_body_that_is_too_large_is_refused(http: httpx.AsyncClient) -> None:
    """Whatever is in it."""
    body = {"paymentToken": "x" * 200_000}
    reply = await http.post("/api/v1/orders", json=body, headers=bearer(token("orders.create")))

    assert reason(reply) == (413, 11, "BODY_TOO_LARGE")


async def test_a_body_that_does_not_say_its_size_is_counted(http: httpx.AsyncClient) -> None:
    """As it comes."""

    async def pieces() -> AsyncIterator[bytes]:
        yield b'{"paymentToken": "'
        for _ in range(30):
            yield b"x" * 10_000
        yield b'"}'

    headers = {**bearer(token("orders.create")), "content-type": "application/json"}

    assert reason(await http.post("/api/v1/orders", content=pieces(), headers=headers)) == (413, 11, "BODY_TOO_LARGE")


async def test_headers_that_are_too_large_are_refused(http: httpx.AsyncClient) -> None:
    """More than 60 KiB of them."""
    reply = await http.get("/api/v1/inventory/A", headers={"x-large": "x" * 70_000})

    assert reason(reply) == (431, 11, "HEADERS_TOO_LARGE")


async def test_a_request_id_is_kept(edge: Edge, http: httpx.AsyncClient) -> None:
    """In the reply as towards the service."""
    reply = await http.get("/api/v1/inventory/A", headers={"x-request-id": "my-own.id_7"})

    assert reply.headers["x-request-id"] == edge.backend.metadata["x-request-id"] == "my-own.id_7"


@pytest.mark.parametrize("unfit", ["", 'quote"', "two words", "x" * 200])
async def test_a_request_id_that_is_missing_or_unfit_for_logs_is_replaced(
    edge: Edge, http: httpx.AsyncClient, unfit: str
) -> None:
    """By a UUID, the same one everywhere."""
    reply = await http.get("/api/v1/inventory/A", headers={"x-request-id": unfit} if unfit else {})

    assert reply.headers["x-request-id"] == str(uuid.UUID(reply.headers["x-request-id"]))
    assert edge.backend.metadata["x-request-id"] == reply.headers["x-request-id"]


async def test_an_error_names_the_request_in_header_and_body(http: httpx.AsyncClient) -> None:
    """So that one can quote it."""
    reply = await http.get("/api/v1/nothing", headers={"x-request-id": "mine"})

    assert reply.headers["x-request-id"] == "mine"
    assert [each["requestId"] for each in reply.json()["details"] if "requestId" in each] == ["mine"]


async def test_services_hear_no_client_about_who_calls(edge: Edge, http: httpx.AsyncClient) -> None:
    """What a client says under our names is dropped, and its credentials stay at the edge."""
    lies = {
        "x-ordermesh-claims": "e30",
        "x-ordermesh-peer": "order",
        "x-ordermesh-new": "x",
        "x-envoy-upstream-rq-timeout-ms": "1",
        "cookie": "a=b",
    }
    reply = await http.get("/api/v1/inventory/A", headers=lies)

    assert reply.status_code == 200
    assert not edge.backend.metadata.keys() & lies.keys()


async def test_a_reply_is_not_kept_nor_taken_for_something_else(http: httpx.AsyncClient) -> None:
    """The headers that browsers heed are on errors too."""
    for path in ("/api/v1/inventory/A", "/api/v1/nothing"):
        headers = (await http.get(path)).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
        assert "x-envoy-upstream-service-time" not in headers


async def test_a_large_reply_is_compressed(http: httpx.AsyncClient) -> None:
    """For whoever asks, which httpx does; also what the transcoder wrote."""
    lines = [{"sku": f"SKU-{number}", "quantity": 1} for number in range(100)]
    order = await http.post("/api/v1/orders", json={"lines": lines}, headers=bearer(token("orders.create")))

    assert (await http.get("/openapi.json")).headers["content-encoding"] == "gzip"
    assert order.headers["content-encoding"] == "gzip"
    assert [line["sku"] for line in order.json()["lines"]] == [line["sku"] for line in lines]


@pytest.mark.parametrize(
    ("accepted", "chosen"),
    [("br", "br"), ("zstd", "zstd"), ("gzip, deflate, br, zstd", "zstd"), ("gzip;q=1, br;q=0.5", "gzip"), ("", None)],
)
async def test_the_client_says_how_a_reply_is_packed(
    http: httpx.AsyncClient, accepted: str, chosen: str | None
) -> None:
    """And caches on the way are told that it depends on that."""
    async with http.stream("GET", "/openapi.json", headers={"accept-encoding": accepted}) as reply:
        assert reply.headers.get("content-encoding") == chosen
        assert "accept-encoding" in reply.headers["vary"].lower()


async def test_a_reply_with_secrets_is_never_compressed(http: httpx.AsyncClient) -> None:
    """Its length would tell of them to whoever can put something of theirs beside (BREACH)."""
    login = {"email": "a@b.example", "password": "x" * 300}

    assert "content-encoding" not in (await http.post("/api/v1/auth/login", json=login)).headers


async def test_a_small_reply_is_not_compressed(http: httpx.AsyncClient) -> None:
    """It would not become smaller."""
    assert "content-encoding" not in (await http.get("/api/v1/inventory/A")).headers
