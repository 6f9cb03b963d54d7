"""UserAdminService."""

from collections.abc import Callable
from datetime import datetime

from ordermesh.auth.v1 import auth_pb2, user_admin_service_pb2_grpc
from ordermesh.auth.v1 import user_admin_service_pb2 as pb
from services.auth.events import user_to_proto
from services.auth.service.caller import held
from services.auth.store import AuthStore, UserAdminStore
from services.common import paging


class UserAdminService(user_admin_service_pb2_grpc.UserAdminServiceServicer):
    """Shapes are checked by the contract before a method here is entered."""

    def __init__(self, admin: UserAdminStore, users: AuthStore, clock: Callable[[], datetime]) -> None:
        """`admin` decides, `users` knows who they are."""
        self._admin = admin
        self._users = users
        self._clock = clock

    async def ListUsers(self, request: pb.ListUsersRequest, _: object) -> pb.ListUsersResponse:
        """Give a page of users; see the contract."""
        if request.email:
            account = await self._users.account(request.email)
            fits = account is not None and request.role in {"", *account.user.roles}
            return pb.ListUsersResponse(users=[user_to_proto(account.user)] if account and fits else [])
        filters = {"role": request.role or None}
        size = paging.page_size(request.page_size)
        found = await self._admin.page(filters["role"], paging.decode(request.page_token, filters), size + 1)
        users = await self._users.several(found[:size])
        reply = pb.ListUsersResponse(users=[user_to_proto(user) for user in users])
        if len(found) > size:
            reply.next_page_token = paging.encode(found[size - 1], filters)
        return reply

    async def GetUserById(self, request: pb.GetUserByIdRequest, _: object) -> auth_pb2.User:
        """Give a user; see the contract."""
        return user_to_proto(await self._users.get(request.id))

    async def SetUserRoles(self, request: pb.SetUserRolesRequest, _: object) -> auth_pb2.User:
        """Give a user other roles; see the contract."""
        await self._admin.set_roles(request.id, request.roles, held())
        return user_to_proto(await self._users.get(request.id))

    async def DisableUser(self, request: pb.DisableUserRequest, _: object) -> auth_pb2.User:
        """Lock a user out; see the contract."""
        await self._admin.disable(request.id, self._clock(), held())
        return user_to_proto(await self._users.get(request.id))

    async def EnableUser(self, request: pb.EnableUserRequest, _: object) -> auth_pb2.User:
        """Let a user in again; see the contract."""
        await self._admin.enable(request.id, held())
        return user_to_proto(await self._users.get(request.id))
