"""What isn't JSON passes the edge as it is: deliveries whose bytes are signed, and files."""

import httpx
import pytest

from tests.integration.gateway.installation import Edge
from tests.integration.gateway.tokens import bearer, token

pytestmark = pytest.mark.asyncio(loop_scope="package")
WEBHOOK = "/api/v1/payments/webhooks/stripe"
SETTLE = "/api/v1/payments/reconciliations/stripe:settle?startTime=2026-05-01T00:00:00Z&endTime=2026-05-02T00:00:00Z"


@pytest.mark.parametrize("body", [b'{ "b" : 1,\n "a": 2 }', b"\x00\xff\xfe", b"a=1&b=%20", b""])
async def test_a_delivery_reaches_the_service_byte_by_byte(http: httpx.AsyncClient, edge: Edge, body: bytes) -> None:
    """With the headers that hold its signature, and without any token."""
    headers = {"stripe-signature": "t=1,v1=2", "webhook-id": "m", "content-type": "application/json"}
    reply = await http.post(WEBHOOK, content=body, headers=headers)

    assert (reply.status_code, reply.json()) == (200, {})
    assert (edge.backend.delivered.gateway, edge.backend.delivered.delivery.data) == ("stripe", body)
    assert edge.backend.delivered.delivery.content_type == "application/json"
    assert edge.backend.metadata["stripe-signature"] == "t=1,v1=2"
    assert edge.backend.metadata["webhook-id"] == "m"


async def test_a_delivery_that_is_too_large_is_refused_at_the_edge(http: httpx.AsyncClient) -> None:
    """Nobody fills our memory."""
    reply = await http.post(WEBHOOK, content=b"x" * 100_001)

    assert reply.status_code == 413


async def test_a_settlement_file_is_streamed(http: httpx.AsyncClient) -> None:
    """Its period is in the query."""
    body = b"id,type\n" * 10_000
    reply = await http.post(
        SETTLE, content=body, headers=bearer(token("payments.manage")) | {"content-type": "text/csv"}
    )

    assert (reply.status_code, reply.json().get("settledCount")) == (200, str(len(body))), reply.text
    assert reply.json()["startTime"] == "2026-05-01T00:00:00Z"


async def test_a_settlement_file_needs_the_permission(http: httpx.AsyncClient) -> None:
    """As every other method of staff."""
    reply = await http.post(SETTLE, content=b"", headers=bearer(token("payments.read")))

    assert reply.status_code == 403
