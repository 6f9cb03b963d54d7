"""AuthService: registering, logging in, refreshing and logging out, and the keys that verify tokens."""

from datetime import timedelta
from typing import Any

from mesh import context, headers
from ordermesh.auth.v1 import auth_pb2, auth_service_pb2_grpc
from ordermesh.auth.v1 import auth_service_pb2 as pb
from services.auth import sessions as sessions_
from services.auth.accounts import Accounts
from services.auth.domain import NoUser
from services.auth.events import key_to_proto, user_to_proto
from services.auth.keyring import KeyRing
from services.auth.logins import Logins
from services.auth.service.client import ClientReader
from services.auth.sessions import Sessions
from services.auth.store import AuthStore

_Begins = pb.LoginRequest | pb.CompleteLoginRequest | pb.RefreshSessionRequest


class AuthService(auth_service_pb2_grpc.AuthServiceServicer):
    """Shapes are checked by the contract before a method here is entered."""

    def __init__(  # noqa: PLR0913 - each is another thing it stands on
        self,
        accounts: Accounts,
        logins: Logins,
        sessions: Sessions,
        *,
        keys: KeyRing,
        store: AuthStore,
        token_lifetime: timedelta,
        clients: ClientReader,
    ) -> None:
        """`store` is read directly where there is nothing to decide."""
        self._accounts = accounts
        self._logins = logins
        self._sessions = sessions
        self._keys = keys
        self._store = store
        self._token_lifetime = token_lifetime
        self._clients = clients

    async def Register(self, request: pb.RegisterRequest, _: object) -> auth_pb2.User:
        """Create a user, or don't, and don't tell; see the contract."""
        await self._accounts.register(request.email, request.password, request.display_name)
        return auth_pb2.User(email=request.email, display_name=request.display_name)

    async def Login(self, request: pb.LoginRequest, servicer_context: Any) -> pb.LoginResponse:  # noqa: ANN401
        """Exchange email and password for a session; see the contract."""
        client = self._clients.read(servicer_context)
        login = await self._logins.log_in(request.email, request.password, client)
        return await self._reply(login, request, servicer_context)

    async def CompleteLogin(self, request: pb.CompleteLoginRequest, servicer_context: Any) -> pb.LoginResponse:  # noqa: ANN401
        """Take the second factor; see the contract."""
        client = self._clients.read(servicer_context)
        login = await self._logins.complete(request.challenge_token, request.code, client)
        return await self._reply(login, request, servicer_context)

    async def RefreshSession(self, request: pb.RefreshSessionRequest, servicer_context: Any) -> pb.LoginResponse:  # noqa: ANN401
        """Exchange a refresh token for the next; see the contract."""
        client = self._clients.read(servicer_context)
        login = await self._sessions.refresh(request.refresh_token, client)
        return await self._reply(login, request, servicer_context)

    async def Logout(self, request: pb.LogoutRequest, servicer_context: Any) -> pb.LogoutResponse:  # noqa: ANN401
        """End a session; see the contract."""
        await servicer_context.send_initial_metadata((cookie("", timedelta(0)),))
        caller = context.current().caller
        await self._sessions.log_out(request.refresh_token, caller.user_id, caller.session_id)
        return pb.LogoutResponse()

    async def GetJsonWebKeySet(self, request: pb.GetJsonWebKeySetRequest, _: object) -> pb.JsonWebKeySet:
        """Give the public keys; see the contract."""
        return pb.JsonWebKeySet(keys=[key_to_proto(key) for key in await self._keys.published()])

    async def GetCurrentUser(self, request: pb.GetCurrentUserRequest, _: object) -> auth_pb2.User:
        """Give the caller; see the contract."""
        user_id = context.current().caller.user_id
        if not user_id:
            raise NoUser
        return user_to_proto(await self._store.get(user_id))

    async def GetUser(self, request: pb.GetUserRequest, _: object) -> auth_pb2.User:
        """Give a user; see the contract."""
        return user_to_proto(await self._store.get(request.id))

    async def _reply(self, login: sessions_.Login, request: _Begins, servicer_context: Any) -> pb.LoginResponse:  # noqa: ANN401
        if request.session_cookie:
            await servicer_context.send_initial_metadata((cookie(login.access_token, self._token_lifetime),))
        return pb.LoginResponse(
            access_token="" if request.session_cookie else login.access_token,
            token_type="Bearer",  # noqa: S106 - a kind of token, not one
            expires_in=int(self._token_lifetime.total_seconds()),
            user=user_to_proto(login.user),
            refresh_token=login.refresh_token,
            refresh_expires_in=int(login.refresh_expires_in.total_seconds()),
            session_id=login.session.id,
        )


def cookie(access_token: str, lifetime: timedelta) -> tuple[str, str]:
    """Write the header of a session's cookie (RFC 6265); none is sent with what other sites let a browser post."""
    attributes = f"Path=/; Max-Age={int(lifetime.total_seconds())}; HttpOnly; Secure; SameSite=Lax"
    return "set-cookie", f"{headers.SESSION_COOKIE}={access_token}; {attributes}"
