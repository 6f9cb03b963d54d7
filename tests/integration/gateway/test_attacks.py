"""Attacks that no other file of this folder has; docs/attacks.md lists all of them with their tests."""

import asyncio
import base64
import hashlib
import hmac
import json

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import OKPKey, RSAKey

from tests.integration.gateway.installation import Edge
from tests.integration.gateway.test_rest import reason
from tests.integration.gateway.tokens import PUBLIC_KEY, bearer, token
from tests.integration.mesh.control_plane.processes import HOST

pytestmark = pytest.mark.asyncio(loop_scope="package")

READ, CREATE = "orders.read", "orders.create"
INVALID = (401, 16, "TOKEN_MISSING_OR_INVALID")
OTHER = OKPKey.generate_key("Ed25519")


def claims() -> dict[str, object]:
    """What a good token says."""
    part = token(READ).split(".")[1]
    found: dict[str, object] = json.loads(base64.urlsafe_b64decode(part + "=="))
    return found


def with_secret(secret: bytes) -> str:
    """Sign with HMAC, the public key for a secret."""
    parts = [base64.urlsafe_b64encode(json.dumps(each).encode()).rstrip(b"=") for each in (HS256, claims())]
    signed = hmac.new(secret, b".".join(parts), hashlib.sha256).digest()
    return b".".join([*parts, base64.urlsafe_b64encode(signed).rstrip(b"=")]).decode()


HS256 = {"alg": "HS256", "typ": "JWT", "kid": PUBLIC_KEY["kid"]}
MINE = OTHER.as_dict(private=False)


def signed(key: OKPKey | RSAKey, **header: object) -> str:
    """Sign with a key of the attacker's own."""
    return jwt.encode({"alg": "EdDSA", **header}, claims(), key, algorithms=["EdDSA", "RS256"])


CONFUSED = {
    "HMAC with the public key as it is published": with_secret(PUBLIC_KEY["x"].encode()),
    "HMAC with the bytes of the public key": with_secret(base64.urlsafe_b64decode(PUBLIC_KEY["x"] + "==")),
    "HMAC with nothing": with_secret(b""),
    "a key that the token brings": signed(OTHER, kid=PUBLIC_KEY["kid"], jwk=MINE),
    "a key that the token leads to": signed(OTHER, jku="https://evil.example/jwks.json"),
    "a key under another name": signed(OTHER, kid="../../dev/null"),
    "a key without a name": signed(OTHER),
    "a key of another kind": signed(RSAKey.generate_key(2048), alg="RS256", kid=PUBLIC_KEY["kid"]),
}


@pytest.mark.parametrize("forged", CONFUSED.values(), ids=CONFUSED)
async def test_only_the_keys_of_auth_and_their_algorithm_count(http: httpx.AsyncClient, forged: str) -> None:
    """Whatever a token says about how it is to be checked."""
    assert reason(await http.get("/api/v1/orders/1", headers=bearer(forged))) == INVALID


async def test_two_tokens_are_none(http: httpx.AsyncClient) -> None:
    """The edge could check one and somebody else read the other."""
    headers = [("authorization", f"Bearer {token(READ)}"), ("authorization", f"Bearer {signed(OTHER)}")]

    assert (await http.get("/api/v1/orders/1", headers=headers)).status_code == 401


@pytest.mark.parametrize(
    "path",
    [
        "/API/v1/orders/7", "/api/v1/Orders/7", "/api/v1/orders/7/", "/api/v1/orders/7;x=1/events",
        "/api/v1/orders./7", "/api/v1./orders/7", "/api/v1/orders/7/events/..;/", "/api/v1/orders/7%00",
    ],
)  # fmt: skip
async def test_a_path_that_is_nearly_right_is_another(edge: Edge, http: httpx.AsyncClient, path: str) -> None:
    """Case, trailing slashes, dots and path parameters open nothing that needs a token: there is no second spelling."""
    before = edge.backend.calls
    url = httpx.URL(http.base_url.copy_with(raw_path=path.encode()))

    assert (await http.get(url)).status_code in {400, 401, 404}
    assert edge.backend.calls == before


@pytest.mark.parametrize("content_type", ["application/grpc", "application/grpc-web+proto", "application/json"])
async def test_a_rest_path_takes_no_grpc_and_a_grpc_path_no_rest(
    edge: Edge, http: httpx.AsyncClient, content_type: str
) -> None:
    """A permission of one route does not open another method by the other's door."""
    headers = bearer(token(READ)) | {"content-type": content_type}
    before = edge.backend.calls
    grpc_path, rest_path = "/ordermesh.order.v1.OrderService/CancelOrder", "/api/v1/orders/7:cancel"
    for path in (grpc_path, rest_path):
        reply = await http.post(path, content=b"\0\0\0\0\0", headers=headers)
        assert reply.status_code in {403, 404, 405, 415} or reply.headers["grpc-status"] in {"7", "12"}
    assert edge.backend.calls == before


SMUGGLED = {
    "two lengths": b"Content-Length: 4\r\nContent-Length: 40\r\n\r\n{}",
    "a length and pieces": b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "pieces by another name": b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "pieces twice": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
    "a space before the colon": b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "a folded line": b"X-A: b\r\n Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a negative length": b"Content-Length: -1\r\n\r\n",
}
HIDDEN = b"GET /api/v1/inventory/HIDDEN HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.mark.parametrize("framing", SMUGGLED.values(), ids=SMUGGLED)
async def test_no_second_request_hides_in_a_body(edge: Edge, framing: bytes) -> None:
    """Where a message ends is clear, or the connection is closed before what follows is taken for a request."""
    reader, writer = await asyncio.open_connection(HOST, edge.options.ports.http)
    writer.write(
        b"POST /api/v1/auth/login HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n" + framing + HIDDEN
    )
    async with asyncio.timeout(10):
        answer = await reader.read()
    writer.close()

    assert answer.rpartition(b"HTTP/1.1 ")[2][:3] in {b"400", b"501"}, answer
    assert b"HIDDEN" not in answer


@pytest.mark.parametrize("opening", [b"[", b'{"lines":[', b'{"a":'])
async def test_json_of_any_depth_is_refused(edge: Edge, http: httpx.AsyncClient, opening: bytes) -> None:
    """Without exhausting anybody's stack."""
    before = edge.backend.calls
    headers = bearer(token(CREATE)) | {"content-type": "application/json"}
    reply = await http.post("/api/v1/orders", content=opening * 9_000, headers=headers)

    assert reason(reply)[0] == 400
    assert edge.backend.calls == before


async def test_a_page_from_nowhere_may_not_call(http: httpx.AsyncClient) -> None:
    """`Origin: null` is what sandboxed frames and files say; it is nobody's name."""
    asked = {"origin": "null", "access-control-request-method": "POST"}
    preflight = await http.options("/api/v1/orders", headers=asked)
    reply = await http.get("/api/v1/inventory/A", headers={"origin": "null"})

    for each in (preflight, reply):
        assert "access-control-allow-origin" not in each.headers
