"""Streams over REST: how they end is told."""

import asyncio
import json

import httpx
import pytest

from tests.integration.gateway.backend import BROKEN, DRAINING, MISSING, SLOW
from tests.integration.gateway.installation import Edge
from tests.integration.gateway.test_rest import reason
from tests.integration.gateway.tokens import bearer, token

pytestmark = pytest.mark.asyncio(loop_scope="package")
READ = bearer(token("orders.read"))


async def test_a_stream_that_fails_ends_with_an_error(http: httpx.AsyncClient) -> None:
    """It has the shape of all errors; what came before it is as good as ever."""
    reply = await http.get(f"/api/v1/orders/{BROKEN}:watch", headers=READ | {"x-request-id": "mine"})
    first, last = reply.text.rstrip("\n").split("\n\n")
    name, data = last.split("\n")
    problem = json.loads(data.removeprefix("data: "))

    assert (reply.status_code, reply.headers["content-type"]) == (200, "text/event-stream")
    assert json.loads(first.removeprefix("data: "))["state"] == "PENDING"
    assert name == "event: error"
    assert problem["detail"] == problem["message"] == DRAINING.message
    assert (problem["status"], problem["code"], problem["reason"]) == (503, 14, "DRAINING")
    assert (problem["type"], problem["title"]) == ("/docs#DRAINING", "Draining")
    assert problem["details"][0]["reason"] == "DRAINING"
    assert problem["details"][1]["requestId"] == "mine"


async def test_a_stream_that_ends_has_no_more_to_say(http: httpx.AsyncClient) -> None:
    """Its last event is the last state."""
    reply = await http.get("/api/v1/orders/7:watch", headers=READ)

    assert [line[:6] for line in reply.text.splitlines() if line] == ["data: ", "data: "]


async def test_an_event_comes_when_it_happens(http: httpx.AsyncClient) -> None:
    """Not when the stream ends."""
    async with asyncio.timeout(20), http.stream("GET", f"/api/v1/orders/{SLOW}:watch", headers=READ) as reply:
        first = await anext(reply.aiter_lines())

    assert json.loads(first.removeprefix("data: "))["state"] == "PENDING"


@pytest.mark.parametrize("accept", ["application/grpc-web-text", "text/event-stream"])
async def test_what_a_client_says_of_itself_does_not_change_its_events(http: httpx.AsyncClient, accept: str) -> None:
    """Only the edge says that it is gRPC-Web in there."""
    headers = READ | {"accept": accept, "content-type": "application/json", "x-grpc-web": "1"}
    reply = await http.get(f"/api/v1/orders/{BROKEN}:watch", headers=headers)

    assert reply.headers["content-type"] == "text/event-stream"
    assert "event: error\n" in reply.text


async def test_a_stream_that_never_begins_is_an_error_as_any_other(edge: Edge, http: httpx.AsyncClient) -> None:
    """With its status, from a service as from the edge."""
    assert reason(await http.get(f"/api/v1/orders/{MISSING}:watch", headers=READ)) == (404, 5, "ORDER_NOT_FOUND")
    assert reason(await http.get("/api/v1/orders/7:watch")) == (401, 16, "TOKEN_MISSING_OR_INVALID")
    assert reason(await http.get("/api/v1/orders/7:watch?nonsense=1", headers=READ))[0] == 400
    await edge.backend.stop()
    assert reason(await http.get("/api/v1/orders/7:watch", headers=READ)) == (503, 14, "SERVICE_UNAVAILABLE")
    await edge.backend.start()
