"""The gRPC servicer: turns the contract's messages into what the auth service does, and back."""

from datetime import timedelta

from mesh import context
from ordermesh.auth.v1 import auth_pb2, auth_service_pb2_grpc
from ordermesh.auth.v1 import auth_service_pb2 as pb
from services.auth.accounts import Accounts
from services.auth.domain import NoUser
from services.auth.events import key_to_proto, user_to_proto
from services.auth.keyring import KeyRing
from services.auth.store import AuthStore


class AuthService(auth_service_pb2_grpc.AuthServiceServicer):
    """Shapes are checked by the contract before a method here is entered."""

    def __init__(self, accounts: Accounts, keys: KeyRing, store: AuthStore, token_lifetime: timedelta) -> None:
        """`store` is read directly where there is nothing to decide."""
        self._accounts = accounts
        self._keys = keys
        self._store = store
        self._token_lifetime = token_lifetime

    async def Register(self, request: pb.RegisterRequest, _: object) -> auth_pb2.User:
        """Create a user; see the contract."""
        user = await self._accounts.register(request.email, request.password, request.display_name)
        return user_to_proto(user)

    async def Login(self, request: pb.LoginRequest, _: object) -> pb.LoginResponse:
        """Exchange email and password for a token; see the contract."""
        login = await self._accounts.log_in(request.email, request.password)
        return pb.LoginResponse(
            access_token=login.token,
            token_type="Bearer",  # noqa: S106 - a kind of token, not one
            expires_in=int(self._token_lifetime.total_seconds()),
            user=user_to_proto(login.user),
        )

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
