"""The OAuth 2 endpoints: tokens for client credentials (RFC 6749), revocation (RFC 7009), introspection (RFC 7662)."""

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import cast

from services.auth.mint import Mint
from services.auth.oauth_forms import Credentials, Form, InvalidClient, Json, OAuthError
from services.auth.service_accounts import Proof, ServiceAccounts
from services.auth.store import RevocationStore
from services.auth.tokens import Grant

CLIENT_CREDENTIALS = "client_credentials"
GRANTS = (CLIENT_CREDENTIALS,)
TOKEN_TYPE = "Bearer"  # noqa: S105 - a kind of token, not one
Claims = Mapping[str, object]


class OAuth:
    """The use cases behind OAuthService. `authorization` is always the header as it came."""

    def __init__(self, accounts: ServiceAccounts, mint: Mint, revocations: RevocationStore) -> None:
        """`accounts` know the clients."""
        self._accounts = accounts
        self._mint = mint
        self._revocations = revocations

    async def token(self, authorization: str, form: Form) -> Json:
        """Answer a request for a token. Raises OAuthError."""
        grant_type = form.need("grant_type")
        if grant_type not in GRANTS:
            raise OAuthError("unsupported_grant_type", f"there are {', '.join(GRANTS)}")
        proof = await self._proved(form.credentials(authorization))
        scope = _scope(form.get("scope"), proof)
        account = proof.account
        token = await self._mint.issue(
            Grant(account.id, account.roles, scope, {"client_id": account.id, "scope": " ".join(sorted(scope))})
        )
        if not await self._accounts.issued(proof, token.id):
            raise InvalidClient
        return {
            "access_token": token.value,
            "token_type": TOKEN_TYPE,
            "expires_in": int(self._mint.lifetime.total_seconds()),
            "scope": " ".join(sorted(scope)),
        }

    async def revoke(self, authorization: str, form: Form) -> None:
        """End an access token; one that is none has ended already. Raises OAuthError.

        Who holds a user's token may end it. One of a service account is ended by that account alone.
        """
        credentials = form.credentials(authorization)
        client_id = (await self._proved(credentials)).account.id if credentials else ""
        claims = await self._mint.claims(form.need("token"))
        if claims is None:
            return
        if claims.get("client_id", "") != client_id:
            raise (
                InvalidClient if not client_id else OAuthError("unauthorized_client", "the token is of another client")
            )
        end = datetime.fromtimestamp(cast("int", claims["exp"]), UTC)
        await self._revocations.revoke(str(claims["jti"]), str(claims["sub"]), end)

    async def introspect(self, authorization: str, form: Form) -> Json:
        """Tell whether a token holds at this moment, and what it says. Raises OAuthError."""
        await self._proved(form.credentials(authorization))
        claims = await self._mint.claims(form.need("token"))
        if claims is None or not await self._revocations.holds(str(claims["jti"]), str(claims["sub"])):
            return {"active": False}
        told = ("iss", "aud", "sub", "iat", "exp", "jti", "client_id", "roles")
        return {
            "active": True,
            "token_type": TOKEN_TYPE,
            "scope": " ".join(cast("list[str]", claims["permissions"])),
            **{name: claims[name] for name in told if name in claims},
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


def _scope(asked: str, proof: Proof) -> frozenset[str]:
    """Narrow what an account may do to what it asks for; scopes are permissions. Raises OAuthError."""
    held = proof.account.held
    scope = frozenset(asked.split())
    if scope - held:
        raise OAuthError("invalid_scope", "the account may not do all of that")
    return scope or held
