"""What the edge serves by itself, what browsers may do with it, and what it logs."""

import asyncio
import json
import stat

import httpx
import pytest
from openapi_spec_validator import validate

from mesh.headers import SESSION_COOKIE
from tests.integration.gateway.installation import Edge
from tests.integration.gateway.tokens import bearer, token

pytestmark = pytest.mark.asyncio(loop_scope="package")

OURS = "http://localhost:3000"
PREFLIGHT = {
    "access-control-request-method": "POST",
    "access-control-request-headers": "authorization,content-type,idempotency-key",
}


async def test_the_root_leads_to_the_api_page(http: httpx.AsyncClient) -> None:
    """With all that it loads, from the edge alone."""
    reply = await http.get("/", follow_redirects=True)

    assert (reply.url.path, reply.headers["content-type"]) == ("/docs", "text/html; charset=utf-8")
    assert "script-src 'self'" in reply.headers["content-security-policy"]
    for path, kind in (("/docs/page.js", "text/javascript"), ("/docs/page.css", "text/css")):
        assert path in reply.text
        assert (await http.get(path)).headers["content-type"].startswith(kind)


async def test_the_description_of_the_api_is_served(http: httpx.AsyncClient) -> None:
    """It is valid OpenAPI."""
    reply = await http.get("/openapi.json")

    assert reply.headers["content-type"] == "application/json"
    validate(reply.json())


async def test_health_answers_without_a_token(http: httpx.AsyncClient) -> None:
    """And without a service."""
    assert (await http.get("/healthz")).status_code == 200


@pytest.mark.parametrize(
    ("path", "content_type"),
    [
        ("/api/v1/orders", "application/json"),
        ("/ordermesh.order.v1.OrderService/GetOrder", "application/grpc-web+proto"),
    ],
)
async def test_pages_of_ours_may_call(http: httpx.AsyncClient, path: str, content_type: str) -> None:
    """REST and gRPC-Web, and read the headers of the reply; also of a refusal."""
    allowed = await http.options(path, headers={"origin": OURS, **PREFLIGHT})
    refused = await http.post(path, headers={"origin": OURS, "content-type": content_type})

    assert allowed.status_code == 200
    assert allowed.headers["access-control-allow-origin"] == OURS
    assert "idempotency-key" in allowed.headers["access-control-allow-headers"]
    assert refused.headers["access-control-allow-origin"] == OURS
    assert "x-request-id" in refused.headers["access-control-expose-headers"]


async def test_other_pages_may_not_call(http: httpx.AsyncClient) -> None:
    """A browser keeps the reply from them."""
    reply = await http.options("/api/v1/orders", headers={"origin": "https://evil.example", **PREFLIGHT})

    assert "access-control-allow-origin" not in reply.headers


async def test_each_request_is_logged_without_secrets(edge: Edge, http: httpx.AsyncClient) -> None:
    """One JSON object a line, with the path but not the query, the user but not the token."""
    secret = token("orders.read", sub="logged-user")
    headers = {**bearer(secret), "x-request-id": "logged-request", "cookie": f"{SESSION_COOKIE}={secret}; other=hidden"}
    await http.get("/api/v1/orders/1", params={"access_token": "hidden"}, headers=headers)
    async with asyncio.timeout(5):
        while "logged-request" not in edge.log.read_text():  # noqa: ASYNC110 - Envoy writes
            await asyncio.sleep(0.1)

    text = edge.log.read_text()
    (entry,) = [json.loads(line) for line in text.splitlines() if "logged-request" in line]
    assert (entry["path"], entry["status"], entry["user"]) == ("/api/v1/orders/1", 400, "logged-user")
    assert entry["route"] == "/ordermesh.order.v1.OrderService/GetOrder"
    for hidden in (secret, "hidden"):
        assert hidden not in text


async def test_how_the_edge_is_set_up_stays_private(edge: Edge) -> None:
    """Only the owner reads the file, and Envoy's administration does not tell it, nor takes orders."""
    assert stat.S_IMODE(edge.options.files.bootstrap.stat().st_mode) == 0o600
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{edge.options.ports.admin}") as admin:
        assert (await admin.get("/ready")).status_code == 200
        assert (await admin.get("/config_dump")).status_code == 403
        assert (await admin.post("/quitquitquit")).status_code == 403
