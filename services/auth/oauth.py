"""The OAuth 2 endpoints: tokens (RFC 6749), their revocation (RFC 7009) and introspection (RFC 7662)."""

import uuid
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime
from typing import cast

from services.auth.domain import UserDisabled
from services.auth.domain.sessions import Client, RefreshTokenRotated, SessionEnded
from services.auth.mint import Mint
from services.auth.oauth_forms import Credentials, Form, InvalidClient, Json, OAuthError
from services.auth.service_accounts import Proof, ServiceAccounts
from services.auth.sessions import Sessions
from services.auth.store import RevocationStore
from services.auth.tokens import Grant

GRANTS = ("client_credentials", "refresh_token")
TOKEN_TYPE = "Bearer"  # noqa: S105 - a kind of token, not one


class OAuth:
    """The use cases behind OAuthService. `authorization` is always the header as it came."""

    def __init__(self, accounts: ServiceAccounts, sessions: Sessions, mint: Mint, revocations: RevocationStore) -> None:
        """`accounts` know the clients, `sessions` the users who are logged in."""
        self._accounts = accounts
        self._sessions = sessions
        self._mint = mint
        self._revocations = revocations

    async def token(self, authorization: str, form: Form, client: Client) -> Json:
        """Answer a request for a token; `client` is what asks. Raises OAuthError."""
        match form.need("grant_type"):
            case "client_credentials":
                return await self._client_credentials(form.credentials(authorization), form.get("scope"))
            case "refresh_token":
                if form.credentials(authorization) is not None:
                    raise OAuthError("unauthorized_client", "a service account has no refresh tokens")
                return await self._refresh(form.need("refresh_token"), form.get("scope"), client)
            case _:
                raise OAuthError("unsupported_grant_type", f"there are {', '.join(GRANTS)}")

    async def revoke(self, authorization: str, form: Form) -> None:
        """End an access token, or the session of a refresh token; one that is none has ended already.

        Who holds a user's token may end it. One of a service account is ended by that account alone. Raises OAuthError.
        """
        credentials = form.credentials(authorization)
        client_id = (await self._proved(credentials)).account.id if credentials else ""
        token = form.need("token")
        claims = await self._mint.claims(token)
        if claims is None:
            await self._sessions.log_out(token, "", "")
            return
        if claims.get("client_id", client_id) != client_id:
            raise OAuthError("unauthorized_client", "the token is of another client") if client_id else InvalidClient()
        end = datetime.fromtimestamp(cast("int", claims["exp"]), UTC)
        await self._revocations.revoke(str(claims["jti"]), str(claims["sub"]), end)

    async def introspect(self, authorization: str, form: Form) -> Json:
        """Tell whether a token holds at this moment, and what it says. Raises OAuthError."""
        await self._proved(form.credentials(authorization))
        claims = await self._mint.claims(form.need("token"))
        if claims is None or not await self._revocations.holds(
            str(claims["jti"]), str(claims["sub"]), str(claims.get("sid", ""))
        ):
            return {"active": False}
        told = ("iss", "aud", "sub", "iat", "exp", "jti", "client_id", "roles")
        return {
            "active": True,
            "token_type": TOKEN_TYPE,
            "scope": " ".join(cast("list[str]", claims["permissions"])),
            **{name: claims[name] for name in told if name in claims},
        }

    async def _client_credentials(self, credentials: Credentials | None, asked: str) -> Json:
        proof = await self._proved(credentials)
        scope, account = _scope(asked, proof), proof.account
        claims = {"client_id": account.id, "scope": _written(scope)}
        token = await self._mint.issue(Grant(account.id, account.roles, scope, claims))
        if not await self._accounts.issued(proof, token.id):
            raise InvalidClient
        return self._told(token.value, scope)

    async def _refresh(self, token: str, asked: str, client: Client) -> Json:
        if asked:
            raise OAuthError("invalid_scope", "what a session may do can't be narrowed; leave scope out")
        try:
            login = await self._sessions.refresh(token, client)
        except (SessionEnded, RefreshTokenRotated, UserDisabled) as refusal:
            raise OAuthError("invalid_grant", refusal.message) from refusal
        return self._told(login.access_token, login.user.permissions) | {"refresh_token": login.refresh_token}

    def _told(self, token: str, scope: AbstractSet[str]) -> Json:
        return {
            "access_token": token,
            "token_type": TOKEN_TYPE,
            "expires_in": int(self._mint.lifetime.total_seconds()),
            "scope": _written(scope),
        }

    async def _proved(self, credentials: Credentials | None) -> Proof:
        if credentials is None:
            raise InvalidClient("prove who you are by HTTP Basic, or by client_id and client_secret in the form")
        try:
            client_id = str(uuid.UUID(credentials.client_id))
        except ValueError:
            raise InvalidClient from None
        proof = await self._accounts.proved(client_id, credentials.client_secret)
        if proof is None:
            raise InvalidClient
        return proof


def _written(scope: AbstractSet[str]) -> str:
    return " ".join(sorted(scope))


def _scope(asked: str, proof: Proof) -> frozenset[str]:
    """Narrow what an account may do to what it asks for; scopes are permissions. Raises OAuthError."""
    held = proof.account.held
    scope = frozenset(asked.split())
    if scope - held:
        raise OAuthError("invalid_scope", "the account may not do all of that")
    return scope or held
