"""Programs and admins through the edge: service accounts, OAuth 2, roles, and users who are locked out."""

import json
import uuid
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata, get_well_known_url

from deploy.native.runtime import Runtime
from tests.e2e.shop import PASSWORD, Client, Json, Shop, fields_of, reason_of

ACCOUNTS = "/api/v1/auth/serviceAccounts"
ROLES = "/api/v1/auth/roles"
USERS = "/api/v1/auth/users"
TOKEN = "/oauth2/token"
GRANT = {"grant_type": "client_credentials"}


@pytest.fixture(scope="module")
def trust(stack: Runtime) -> str:
    """Find what signed the edge's certificate, where a user finds it."""
    found = json.loads((stack.root / "credentials.json").read_text())
    return str(Path(found["ca"]))


@pytest.fixture
def account(shop: Shop) -> Json:
    """Have an admin make a service account that may read orders."""
    body = {"displayName": "A warehouse's program", "permissions": ["orders.read", "orders.manage"]}
    return shop.admin.post(ACCOUNTS, body)


def ask(shop: Shop, account: Json, secret: str = "", **form: str) -> httpx.Response:
    """Ask for a token."""
    auth = (account["serviceAccount"]["id"], secret or account["clientSecret"])
    return shop.stranger.http.post(TOKEN, data=GRANT | form, auth=auth)


def test_an_ordinary_client_finds_everything_by_the_issuer(stack: Runtime, account: Json, trust: str) -> None:
    """Authlib and PyJWT over TLS, told the issuer, the client's credentials, and nothing else."""
    issuer = stack.topology.auth.issuer
    id_, secret = account["serviceAccount"]["id"], account["clientSecret"]
    with OAuth2Session(id_, secret) as client:
        client.trust_env, client.verify = False, trust
        url = get_well_known_url(issuer, external=True)
        metadata: dict[str, Any] = AuthorizationServerMetadata(client.get(url, withhold_token=True).json())
        assert metadata["issuer"] == issuer
        token = client.fetch_token(metadata["token_endpoint"], grant_type="client_credentials")
        assert client.get(f"{issuer}/api/v1/orders").status_code == 200
        assert client.get(f"{issuer}{USERS}").status_code == 403
        keys = jwt.PyJWKSet(client.get(metadata["jwks_uri"], withhold_token=True).json()["keys"])
        key = keys[jwt.get_unverified_header(token["access_token"])["kid"]]
        audience = stack.topology.auth.audience
        claims = jwt.decode(token["access_token"], key, algorithms=["EdDSA"], audience=audience, issuer=issuer)
        assert claims["client_id"] == id_
        assert client.revoke_token(metadata["revocation_endpoint"], token=token["access_token"]).status_code == 200
        asked = client.introspect_token(metadata["introspection_endpoint"], token=token["access_token"])
        assert asked.json() == {"active": False}


def test_a_secret_is_told_once_and_replaced_without_haste(shop: Shop, account: Json) -> None:
    """Both are good for the overlap; neither is shown again."""
    id_ = account["serviceAccount"]["id"]
    rotated = shop.admin.post(f"{ACCOUNTS}/{id_}:rotateSecret")
    assert ask(shop, account).status_code == ask(shop, account, rotated["clientSecret"]).status_code == 200
    shown = shop.admin.get(f"{ACCOUNTS}/{id_}")
    assert len(shown["secrets"]) == 2
    assert account["clientSecret"] not in json.dumps(shown)
    ended = shop.admin.post(f"{ACCOUNTS}/{id_}:rotateSecret", {"overlap": "0s"})
    assert [ask(shop, account, each["clientSecret"]).status_code for each in (account, rotated, ended)] == [
        401,
        401,
        200,
    ]


def test_a_program_that_is_locked_out_gets_no_token(shop: Shop, account: Json) -> None:
    """Until it is let in again; a deleted one never."""
    id_ = account["serviceAccount"]["id"]
    shop.admin.post(f"{ACCOUNTS}/{id_}:disable")
    refused = ask(shop, account)
    assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client")
    assert refused.headers["www-authenticate"].startswith("Basic")
    shop.admin.post(f"{ACCOUNTS}/{id_}:enable")
    assert ask(shop, account).status_code == 200
    assert shop.admin.http.delete(f"{ACCOUNTS}/{id_}").status_code == 200
    assert ask(shop, account).status_code == 401
    assert shop.admin.http.get(f"{ACCOUNTS}/{id_}").status_code == 404


def test_what_the_edge_or_the_contract_refuses_is_an_oauth_error_too(shop: Shop, account: Json) -> None:
    """A form that is too long for either, and a verb that there is not."""
    for length in (40_000, 2_000_000):
        reply = ask(shop, account, scope="x" * length)
        assert (reply.status_code // 100, reply.json()["error"]) == (4, "invalid_request")
    assert shop.stranger.http.get(TOKEN).status_code == 405


def test_a_customer_may_not_look_after_anything(customer: Client) -> None:
    """Nor a stranger."""
    for path in (USERS, ROLES, ACCOUNTS):
        assert customer.http.get(path).status_code == 403
    assert customer.http.post(ROLES, json={"name": "mine", "permissions": []}).status_code == 403
    assert customer.http.post(ACCOUNTS, json={"displayName": "mine"}).status_code == 403
    id_ = customer.user["id"]
    assert customer.http.post(f"{USERS}/{id_}:setRoles", json={"roles": ["admin"]}).status_code == 403


def test_a_role_is_given_and_holds_from_the_next_token(shop: Shop, customer: Client) -> None:
    """Made of permissions that contracts name."""
    name = f"reader-{customer.user['id'][-12:]}"
    unknown = shop.admin.http.post(ROLES, json={"name": name, "permissions": ["orders.read", "orders.fly"]})
    assert (unknown.status_code, reason_of(unknown)) == (400, "PERMISSION_UNKNOWN")
    assert fields_of(unknown) == {"permissions[1]"}
    shop.admin.post(ROLES, {"name": name, "permissions": ["users.manage"]})
    user_id, address = customer.user["id"], customer.user["email"]
    given = shop.admin.post(f"{USERS}/{user_id}:setRoles", {"roles": ["customer", name]})
    assert given["roles"] == ["customer", name]
    assert customer.http.get(USERS).status_code == 403
    raised = shop.log_in(address, PASSWORD)
    assert raised.get(USERS, email=address)["users"][0]["id"] == user_id
    escalated = raised.http.post(f"{USERS}/{user_id}:setRoles", json={"roles": ["admin"]})
    assert (escalated.status_code, reason_of(escalated)) == (403, "ESCALATION")
    used = shop.admin.http.delete(f"{ROLES}/{name}")
    assert (used.status_code, reason_of(used)) == (400, "ROLE_IN_USE")
    shop.admin.post(f"{USERS}/{user_id}:setRoles", {"roles": ["customer"]})
    assert shop.admin.http.delete(f"{ROLES}/{name}").status_code == 200


def test_of_two_admins_who_read_a_role_the_slower_is_told(shop: Shop) -> None:
    """By the header or by the field; also who would delete it."""
    name = f"packer-{uuid.uuid4().hex[:12]}"
    path, read = f"{ROLES}/{name}", shop.admin.post(ROLES, {"name": name})["etag"]
    change = {"description": "Packs", "permissions": ["orders.read"]}
    quicker = shop.admin.http.patch(path, json=change, headers={"If-Match": f'"{read}"'})
    assert (quicker.status_code, quicker.json()["permissions"]) == (200, ["orders.read"])
    for late, status in (
        (shop.admin.http.patch(path, json={"description": "Ships"}, headers={"If-Match": f'"{read}"'}), 412),
        (shop.admin.http.patch(path, json={"description": "Ships", "etag": read}), 409),
        (shop.admin.http.delete(path, params={"etag": read}), 409),
    ):
        assert (late.status_code, reason_of(late)) == (status, "ROLE_CHANGED")
    now = shop.admin.get(path)
    assert now == quicker.json()
    assert shop.admin.http.delete(path, headers={"If-Match": f'"{now["etag"]}"'}).status_code == 200


def test_a_user_who_is_locked_out_is_told_so_and_nobody_else_is(shop: Shop, customer: Client) -> None:
    """Only with the right password."""
    user_id, address = customer.user["id"], customer.user["email"]
    assert "disableTime" in shop.admin.post(f"{USERS}/{user_id}:disable")
    login = "/api/v1/auth/login"
    right = shop.stranger.http.post(login, json={"email": address, "password": PASSWORD})
    assert (right.status_code, reason_of(right)) == (401, "USER_DISABLED")
    wrong = shop.stranger.http.post(login, json={"email": address, "password": "wrong horse battery"})
    assert (wrong.status_code, reason_of(wrong)) == (401, "INVALID_CREDENTIALS")
    shop.admin.post(f"{USERS}/{user_id}:enable")
    shop.log_in(address, PASSWORD)


def test_the_last_admin_stays(shop: Shop) -> None:
    """Whatever the admin wants."""
    admins = shop.admin.get(USERS, role="admin")["users"]
    assert len(admins) == 1
    for verb, body in (("disable", {}), ("setRoles", {"roles": ["customer"]})):
        refused = shop.admin.http.post(f"{USERS}/{admins[0]['id']}:{verb}", json=body)
        assert (refused.status_code, reason_of(refused)) == (400, "LAST_ADMIN")
