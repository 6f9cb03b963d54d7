"""The OAuth 2 endpoints through the edge, used by ordinary clients, and by such as do it wrong."""

import asyncio
import base64
import functools
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from urllib.parse import quote_plus

import httpx
import jwt
import pytest
import pytest_asyncio
from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata

from deploy.native import components
from services.auth.service_accounts import Told
from services.auth.settings import AuthSettings
from services.common.database import Database
from tests.integration.gateway.tokens import AUDIENCE, ISSUER
from tests.integration.postgres import Postgres
from tests.integration.services.auth.conftest import SEEDED, SETTINGS
from tests.integration.services.auth.edge import KNOWN, Door, door

FORM = {"content-type": "application/x-www-form-urlencoded"}
ENDPOINTS = ("token", "introspection", "revocation")
GRANT = {"grant_type": "client_credentials"}


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def opened(
    tmp_path_factory: pytest.TempPathFactory, programs: components.Components, postgres: Postgres
) -> AsyncIterator[Door]:
    """Open the door for all tests; each has clients of its own."""
    postgres.migrate("auth")
    postgres.empty("auth", but=SEEDED)
    async with (
        Database.open(postgres.settings(AuthSettings, "auth", **SETTINGS)) as database,
        door(tmp_path_factory.mktemp("door"), programs, database) as opened,
    ):
        yield opened


@pytest_asyncio.fixture(loop_scope="module")
async def http(opened: Door) -> AsyncIterator[httpx.AsyncClient]:
    """Speak to the door."""
    async with httpx.AsyncClient(base_url=opened.url, timeout=30) as client:
        yield client


def basic(told: Told, **changes: str) -> httpx.BasicAuth:
    """Prove to be a service account."""
    return httpx.BasicAuth(changes.get("id", told.account.id), changes.get("secret", told.secret))


async def token_of(http: httpx.AsyncClient, told: Told, **fields: str) -> dict[str, Any]:
    """Get a token."""
    reply = await http.post("/oauth2/token", data=GRANT | fields, auth=basic(told))
    assert reply.status_code == 200, reply.text
    body: dict[str, Any] = reply.json()
    return body


def told_of(postgres: Postgres, aggregate_id: object) -> list[str]:
    """Name the events about something in their order."""
    with postgres.superuser("auth") as connection:
        query = "SELECT type FROM events WHERE aggregate_id = %s ORDER BY sequence"
        return [str(kind).rpartition(".")[2] for (kind,) in connection.execute(query, (aggregate_id,))]


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
async def test_an_ordinary_client_library_gets_a_token_and_uses_it(opened: Door, method: str) -> None:
    """Authlib, told nothing but where the metadata is."""
    told = await opened.auth.client("orders.read")
    await asyncio.to_thread(_as_an_ordinary_client, opened.url, told, method)


def _as_an_ordinary_client(url: str, told: Told, method: str) -> None:
    with OAuth2Session(told.account.id, told.secret, token_endpoint_auth_method=method) as client:
        found = client.get(url + "/.well-known/oauth-authorization-server", withhold_token=True).json()
        metadata = AuthorizationServerMetadata(found)
        metadata.validate()
        assert method in metadata["token_endpoint_auth_methods_supported"]
        endpoints = {name: str(metadata[f"{name}_endpoint"]).replace(ISSUER, url) for name in ENDPOINTS}
        token = client.fetch_token(endpoints["token"], grant_type="client_credentials")
        assert (token["token_type"], token["scope"]) == ("Bearer", "orders.read")
        assert client.get(url + "/api/v1/orders/1").status_code == 200
        assert client.introspect_token(endpoints["introspection"], token=token["access_token"]).json()["active"]
        assert client.revoke_token(endpoints["revocation"], token=token["access_token"]).status_code == 200
        assert not client.introspect_token(endpoints["introspection"], token=token["access_token"]).json()["active"]


async def test_an_ordinary_resource_server_verifies_a_token(opened: Door, http: httpx.AsyncClient) -> None:
    """PyJWT, which fetches the key that the token names."""
    told = await opened.auth.client("orders.read", "orders.create")
    token = (await token_of(http, told, scope="orders.read"))["access_token"]
    keys = jwt.PyJWKClient(opened.url + "/.well-known/jwks.json")
    key = await asyncio.to_thread(keys.get_signing_key_from_jwt, token)
    claims = jwt.decode(token, key.key, algorithms=["EdDSA"], audience=AUDIENCE, issuer=ISSUER)
    assert (claims["sub"], claims["client_id"], claims["scope"]) == (told.account.id, told.account.id, "orders.read")
    assert claims["permissions"] == ["orders.read"]


async def test_metadata_is_where_clients_look_for_it(http: httpx.AsyncClient) -> None:
    """The issuer in it is the one in tokens, and there is nothing that we don't have."""
    first, second = [
        (await http.get(f"/.well-known/{name}")).json()
        for name in ("oauth-authorization-server", "openid-configuration")
    ]
    assert first == second
    assert first["issuer"] == ISSUER
    assert set(first["scopes_supported"]) == KNOWN
    assert first["response_types_supported"] == ["none"]
    assert "authorization_endpoint" not in first


async def test_a_reply_with_a_token_is_kept_by_nobody(opened: Door, http: httpx.AsyncClient) -> None:
    """RFC 6749, section 5.1."""
    reply = await http.post("/oauth2/token", data=GRANT, auth=basic(await opened.auth.client("orders.read")))
    assert reply.headers["cache-control"] == "no-store"
    assert reply.headers["pragma"] == "no-cache"
    assert reply.headers["content-type"] == "application/json"
    assert "x-ordermesh-status" not in reply.headers
    assert set(reply.json()) == {"access_token", "token_type", "expires_in", "scope"}


BAD_REQUESTS: dict[str, tuple[dict[str, Any], str]] = {
    "no grant": ({"data": {"scope": "orders.read"}}, "invalid_request"),
    "an unknown grant": ({"data": {"grant_type": "password"}}, "unsupported_grant_type"),
    "more than it may": ({"data": GRANT | {"scope": "orders.read products.write"}}, "invalid_scope"),
    "JSON": ({"json": GRANT}, "invalid_request"),
    "nothing": ({}, "invalid_request"),
    "a field twice": ({"content": b"grant_type=client_credentials&grant_type=x", "headers": FORM}, "invalid_request"),
    "no text": ({"content": b"grant_type=\xff\xfe", "headers": FORM}, "invalid_request"),
    "bad escapes": ({"content": b"grant_type=%ff%fe", "headers": FORM}, "invalid_request"),
    "NUL": ({"content": b"grant_type=client_credentials&scope=%00", "headers": FORM}, "invalid_request"),
    "credentials twice": ({"data": GRANT | {"client_secret": "x", "client_id": "y"}}, "invalid_request"),
    "another client's name": ({"data": GRANT | {"client_id": "somebody"}}, "invalid_request"),
    "longer than the edge takes": ({"data": GRANT | {"scope": "x" * 200_000}}, "invalid_request"),
}


@pytest.mark.timeout(120)
async def test_a_bad_request_is_told_in_the_words_of_the_standard(opened: Door, http: httpx.AsyncClient) -> None:
    """RFC 6749, section 5.2, whoever refuses it: auth or the edge."""
    told = await opened.auth.client("orders.read")
    for name, (request, code) in BAD_REQUESTS.items():
        reply = await http.post("/oauth2/token", **request, auth=basic(told))
        assert (reply.status_code // 100, reply.json()["error"]) == (4, code), (
            f"{name}: {reply.status_code} {reply.text}"
        )
        assert reply.headers["cache-control"] == "no-store", name
        assert "www-authenticate" not in reply.headers, name


async def test_whoever_does_not_prove_to_be_the_client_gets_nothing(
    opened: Door, http: httpx.AsyncClient, postgres: Postgres
) -> None:
    """invalid_client, 401 and the challenge of HTTP Basic, with no word on what was wrong; one event a minute."""
    told = await opened.auth.client("orders.read")
    garbage = {"authorization": "Basic ???"}
    other = {"authorization": "Digest username=x"}
    encoded = {"authorization": "Basic " + base64.b64encode(b"no colon").decode()}
    wrong: dict[str, dict[str, Any]] = {
        "wrong secret": {"auth": basic(told, secret="oms_wrong")},
        "no secret": {"auth": basic(told, secret="")},
        "unknown client": {"auth": basic(told, id="0190f0a4-0000-7000-8000-000000000001")},
        "no UUID": {"auth": basic(told, id="admin' OR 1=1")},
        "nobody": {},
        "garbage": {"headers": garbage},
        "no colon": {"headers": encoded},
        "another scheme": {"headers": other},
        "a token": {"headers": {"authorization": "Bearer x"}},
    }
    for name, how in wrong.items():
        reply = await http.post("/oauth2/token", data=GRANT, **how)
        assert (reply.status_code, reply.json()["error"]) == (401, "invalid_client"), f"{name}: {reply.text}"
        assert reply.headers["www-authenticate"], name
    assert told_of(postgres, told.account.id) == ["ServiceAccountCreated", "ServiceAccountAuthenticationFailed"]


async def test_the_ordinary_client_library_understands_a_refusal(opened: Door) -> None:
    """It raises what it has for it."""
    told = await opened.auth.client("orders.read")
    with OAuth2Session(told.account.id, "wrong") as client:
        fetch = functools.partial(client.fetch_token, opened.url + "/oauth2/token", grant_type="client_credentials")
        with pytest.raises(OAuthError, match="invalid_client"):
            await asyncio.to_thread(fetch)


async def test_credentials_may_be_form_encoded_in_the_header(opened: Door, http: httpx.AsyncClient) -> None:
    """RFC 6749, section 2.3.1, which not all clients follow; ours need no encoding."""
    told = await opened.auth.client("orders.read")
    pair = f"{quote_plus(told.account.id)}:{quote_plus(told.secret)}".encode()
    headers = {"authorization": "basic " + base64.b64encode(pair).decode()}
    assert (await http.post("/oauth2/token", data=GRANT, headers=headers)).status_code == 200


async def test_two_secrets_are_good_while_one_takes_the_place_of_the_other(
    opened: Door, http: httpx.AsyncClient
) -> None:
    """A third ends the first; without an overlap only the newest is good."""
    accounts, first = opened.auth.clients, await opened.auth.client("orders.read")
    second = await accounts.rotate(first.account.id, None, KNOWN)
    assert [await _status(http, each) for each in (first, second)] == [200, 200]
    third = await accounts.rotate(first.account.id, timedelta(hours=1), KNOWN)
    assert [await _status(http, each) for each in (first, second, third)] == [401, 200, 200]
    fourth = await accounts.rotate(first.account.id, timedelta(0), KNOWN)
    assert [await _status(http, each) for each in (first, second, third, fourth)] == [401, 401, 401, 200]


async def test_secrets_rotated_at_once_leave_two_that_are_good(opened: Door, http: httpx.AsyncClient) -> None:
    """Whichever they are; nobody is left with none."""
    first = await opened.auth.client("orders.read")
    rotated = await asyncio.gather(*(opened.auth.clients.rotate(first.account.id, None, KNOWN) for _ in range(6)))
    assert [await _status(http, each) for each in (first, *rotated)].count(200) == 2


async def test_a_disabled_client_gets_no_token_until_it_is_enabled(opened: Door, http: httpx.AsyncClient) -> None:
    """And a deleted one never again."""
    told = await opened.auth.client("orders.read")
    token = (await token_of(http, told))["access_token"]
    other = await opened.auth.client()
    await opened.auth.clients.lock(told.account.id, KNOWN, out=True)
    assert await _status(http, told) == 401
    assert await _introspected(http, other, token) == {"active": False}
    await opened.auth.clients.lock(told.account.id, KNOWN, out=False)
    assert await _status(http, told) == 200
    await opened.auth.clients.delete(told.account.id, KNOWN)
    assert await _status(http, told) == 401


async def test_a_revoked_token_is_no_longer_active(opened: Door, http: httpx.AsyncClient, postgres: Postgres) -> None:
    """Revoking it again, or what is no token, is no error (RFC 7009, section 2.2)."""
    told = await opened.auth.client("orders.read")
    token = (await token_of(http, told))["access_token"]
    active = await _introspected(http, told, token)
    assert (active["active"], active["scope"], active["client_id"]) == (True, "orders.read", told.account.id)
    for value in (token, token, "garbage"):
        reply = await http.post("/oauth2/revoke", data={"token": value}, auth=basic(told))
        assert (reply.status_code, reply.json()) == (200, {})
    assert await _introspected(http, told, token) == {"active": False}
    assert told_of(postgres, active["jti"]) == ["AccessTokenRevoked"]


async def test_only_the_client_whose_token_it_is_revokes_it(opened: Door, http: httpx.AsyncClient) -> None:
    """Not another one, and not who has found it."""
    told, other = await opened.auth.client("orders.read"), await opened.auth.client()
    token = (await token_of(http, told))["access_token"]
    refused = await http.post("/oauth2/revoke", data={"token": token}, auth=basic(other))
    assert (refused.status_code, refused.json()["error"]) == (400, "unauthorized_client")
    anonymous = await http.post("/oauth2/revoke", data={"token": token})
    assert (anonymous.status_code, anonymous.json()["error"]) == (401, "invalid_client")
    assert (await _introspected(http, told, token))["active"]


async def test_an_ordinary_client_library_refreshes_a_session(opened: Door, http: httpx.AsyncClient) -> None:
    """Authlib, as a public client. What was used once is used up, and coming late with it ends the session."""
    login = await opened.auth.login()
    await asyncio.to_thread(_refresh_twice, opened.url, login.refresh_token)
    reply = await http.post("/oauth2/token", data={"grant_type": "refresh_token", "refresh_token": login.refresh_token})
    assert (reply.status_code, reply.json()["error"]) == (400, "invalid_grant")


def _refresh_twice(url: str, refresh_token: str) -> None:
    with OAuth2Session("web", token_endpoint_auth_method="none", token={"refresh_token": refresh_token}) as client:
        first = client.refresh_token(url + "/oauth2/token", refresh_token=refresh_token)
        second = client.refresh_token(url + "/oauth2/token", refresh_token=first["refresh_token"])
        assert second["refresh_token"] != first["refresh_token"]
        assert client.get(url + "/api/v1/orders/1").status_code == 200


async def test_revoking_a_refresh_token_ends_the_session(opened: Door, http: httpx.AsyncClient) -> None:
    """And with it what its access token is worth to whoever asks."""
    login, told = await opened.auth.login(), await opened.auth.client()
    assert (await _introspected(http, told, login.access_token))["active"]
    assert (await http.post("/oauth2/revoke", data={"token": login.refresh_token})).status_code == 200
    assert await _introspected(http, told, login.access_token) == {"active": False}
    reply = await http.post("/oauth2/token", data={"grant_type": "refresh_token", "refresh_token": login.refresh_token})
    assert (reply.status_code, reply.json()["error"]) == (400, "invalid_grant")


async def test_a_user_ends_an_access_token_by_holding_it(opened: Door, http: httpx.AsyncClient) -> None:
    """The session goes on."""
    login, told = await opened.auth.login(), await opened.auth.client()
    assert (await http.post("/oauth2/revoke", data={"token": login.access_token})).status_code == 200
    assert await _introspected(http, told, login.access_token) == {"active": False}
    form = {"grant_type": "refresh_token", "refresh_token": login.refresh_token}
    assert (await http.post("/oauth2/token", data=form, auth=basic(told))).json()["error"] == "unauthorized_client"
    assert (await http.post("/oauth2/token", data=form | {"scope": "orders.read"})).json()["error"] == "invalid_scope"
    assert (await http.post("/oauth2/token", data=form)).status_code == 200


async def test_nobody_introspects_without_proving_who_they_are(opened: Door, http: httpx.AsyncClient) -> None:
    """RFC 7662, section 2.1: or tokens could be tried out."""
    told = await opened.auth.client("orders.read")
    token = (await token_of(http, told))["access_token"]
    assert (await http.post("/oauth2/introspect", data={"token": token})).status_code == 401
    assert (await http.post("/oauth2/introspect", data={}, auth=basic(told))).json()["error"] == "invalid_request"
    assert await _introspected(http, told, "garbage") == {"active": False}


async def test_the_header_authorization_reaches_oauth_alone(opened: Door, http: httpx.AsyncClient) -> None:
    """And nobody can send the header that it travels in."""
    told = await opened.auth.client("orders.read")
    pair = base64.b64encode(f"{told.account.id}:{told.secret}".encode()).decode()
    reply = await http.post("/oauth2/token", data=GRANT, headers={"x-ordermesh-authorization": f"Basic {pair}"})
    assert reply.status_code == 401
    await http.get("/api/v1/inventory/A", auth=basic(told))
    assert not {"authorization", "x-ordermesh-authorization"} & set(opened.edge.backend.metadata)


async def test_whatever_happens_to_an_account_is_told(
    opened: Door, http: httpx.AsyncClient, postgres: Postgres
) -> None:
    """In events without a secret in them."""
    told = await opened.auth.client("orders.read")
    await token_of(http, told)
    rotated = await opened.auth.clients.rotate(told.account.id, None, KNOWN)
    await opened.auth.clients.update(told.account.id, "another name", ["support"], [], KNOWN)
    await opened.auth.clients.lock(told.account.id, KNOWN, out=True)
    await opened.auth.clients.lock(told.account.id, KNOWN, out=True)
    await opened.auth.clients.delete(told.account.id, KNOWN)
    assert told_of(postgres, told.account.id) == [
        "ServiceAccountCreated",
        "ServiceAccountTokenIssued",
        "ServiceAccountSecretRotated",
        "ServiceAccountUpdated",
        "ServiceAccountDisabled",
        "ServiceAccountDeleted",
    ]
    with postgres.superuser("auth") as connection:
        payloads = connection.execute("SELECT payload FROM events").fetchall()
    assert not any(
        secret.encode() in bytes(payload) for (payload,) in payloads for secret in (told.secret, rotated.secret)
    )


async def _status(http: httpx.AsyncClient, told: Told) -> int:
    return (await http.post("/oauth2/token", data=GRANT, auth=basic(told))).status_code


async def _introspected(http: httpx.AsyncClient, told: Told, token: str) -> dict[str, Any]:
    reply = await http.post("/oauth2/introspect", data={"token": token}, auth=basic(told))
    assert reply.status_code == 200, reply.text
    body: dict[str, Any] = reply.json()
    return body
