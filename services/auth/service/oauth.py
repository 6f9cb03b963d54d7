"""OAuthService: replies in the shape of the OAuth 2 standards, of errors too; the edge gives them their HTTP status."""

import functools
import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from google.api import httpbody_pb2

from mesh import headers
from ordermesh.auth.v1 import oauth_service_pb2 as pb
from ordermesh.auth.v1 import oauth_service_pb2_grpc
from services.auth.oauth import GRANTS, OAuth
from services.auth.oauth_forms import Form, Json, OAuthError
from services.auth.service.client import ClientReader

MEDIA_TYPE = "application/json"
CHALLENGE = ("www-authenticate", 'Basic realm="ordermesh", charset="UTF-8"')
NEVER_KEPT = (("cache-control", "no-store"), ("pragma", "no-cache"))
AUTHENTICATION_METHODS = ("client_secret_basic", "client_secret_post")
# The list must not be empty, and the registry of OAuth has a word for nothing.
NO_RESPONSE_TYPES = ("none",)
UNAUTHORIZED = 401

Context = Any
"""grpc.aio's own, which is generic in our messages."""


class OAuthService(oauth_service_pb2_grpc.OAuthServiceServicer):
    """Turns forms into what is asked of OAuth, and its answers into JSON."""

    def __init__(self, oauth: OAuth, clients: ClientReader, issuer: str, scopes: Sequence[str]) -> None:
        """`issuer` is the URL below which clients find everything; `scopes` are all permissions."""
        self._oauth = oauth
        self._clients = clients
        self._issuer = issuer
        self._scopes = scopes

    async def Token(self, request: pb.TokenRequest, servicer_context: Context) -> httpbody_pb2.HttpBody:
        """Issue a token; see the contract."""
        client = self._clients.read(servicer_context)
        return await _answer(request.form, servicer_context, functools.partial(self._oauth.token, client=client))

    async def Revoke(self, request: pb.RevokeRequest, servicer_context: Context) -> httpbody_pb2.HttpBody:
        """End a token; see the contract."""

        async def revoke(authorization: str, form: Form) -> Json:
            await self._oauth.revoke(authorization, form)
            return {}

        return await _answer(request.form, servicer_context, revoke)

    async def Introspect(self, request: pb.IntrospectRequest, servicer_context: Context) -> httpbody_pb2.HttpBody:
        """Judge a token; see the contract."""
        return await _answer(request.form, servicer_context, self._oauth.introspect)

    async def GetAuthorizationServerMetadata(
        self, request: pb.GetAuthorizationServerMetadataRequest, servicer_context: Context
    ) -> pb.AuthorizationServerMetadata:
        """Tell what there is; see the contract."""
        return self._metadata()

    async def GetOpenIdConfiguration(
        self, request: pb.GetOpenIdConfigurationRequest, servicer_context: Context
    ) -> pb.AuthorizationServerMetadata:
        """Tell the same elsewhere; see the contract."""
        return self._metadata()

    def _metadata(self) -> pb.AuthorizationServerMetadata:
        return pb.AuthorizationServerMetadata(
            issuer=self._issuer,
            token_endpoint=f"{self._issuer}/oauth2/token",
            revocation_endpoint=f"{self._issuer}/oauth2/revoke",
            introspection_endpoint=f"{self._issuer}/oauth2/introspect",
            jwks_uri=f"{self._issuer}/.well-known/jwks.json",
            grant_types_supported=GRANTS,
            response_types_supported=NO_RESPONSE_TYPES,
            token_endpoint_auth_methods_supported=AUTHENTICATION_METHODS,
            revocation_endpoint_auth_methods_supported=AUTHENTICATION_METHODS,
            introspection_endpoint_auth_methods_supported=AUTHENTICATION_METHODS,
            scopes_supported=self._scopes,
            service_documentation=f"{self._issuer}/docs",
        )


async def _answer(
    form: httpbody_pb2.HttpBody, servicer_context: Context, use: Callable[[str, Form], Awaitable[Json]]
) -> httpbody_pb2.HttpBody:
    sent = dict(servicer_context.invocation_metadata() or ())
    status = 200
    try:
        body = await use(str(sent.get(headers.AUTHORIZATION, "")), Form(form.content_type, form.data))
    except OAuthError as refusal:
        body, status = refusal.body, refusal.status
    challenge = (CHALLENGE,) if status == UNAUTHORIZED else ()
    await servicer_context.send_initial_metadata((*NEVER_KEPT, *challenge, (headers.REPLY_STATUS, str(status))))
    return httpbody_pb2.HttpBody(content_type=MEDIA_TYPE, data=json.dumps(body).encode())
