"""RoleService."""

from ordermesh.auth.v1 import role_service_pb2 as pb
from ordermesh.auth.v1 import role_service_pb2_grpc
from services.auth.domain import RoleDefinition
from services.auth.roles import Roles
from services.auth.service.caller import expected, held
from services.auth.store import RoleStore
from services.common import paging
from services.common.protobuf import timestamp_to_proto


class RoleService(role_service_pb2_grpc.RoleServiceServicer):
    """Shapes are checked by the contract before a method here is entered."""

    def __init__(self, roles: Roles, store: RoleStore) -> None:
        """`store` is read directly where there is nothing to decide."""
        self._roles = roles
        self._store = store

    async def ListRoles(self, request: pb.ListRolesRequest, _: object) -> pb.ListRolesResponse:
        """Give a page of roles; see the contract."""
        size = paging.page_size(request.page_size)
        found = await self._store.page(paging.decode(request.page_token, {}), size + 1)
        reply = pb.ListRolesResponse(roles=[_role(each) for each in found[:size]])
        if len(found) > size:
            reply.next_page_token = paging.encode(found[size - 1].name, {})
        return reply

    async def GetRole(self, request: pb.GetRoleRequest, _: object) -> pb.Role:
        """Give a role; see the contract."""
        return _role(await self._store.get(request.name))

    async def CreateRole(self, request: pb.CreateRoleRequest, _: object) -> pb.Role:
        """Make a role; see the contract."""
        return _role(await self._roles.create(request.name, request.description, request.permissions, held()))

    async def UpdateRole(self, request: pb.UpdateRoleRequest, _: object) -> pb.Role:
        """Change a role; see the contract."""
        etag = expected(request.etag)
        return _role(await self._roles.update(request.name, request.description, request.permissions, held(), etag))

    async def DeleteRole(self, request: pb.DeleteRoleRequest, _: object) -> pb.DeleteRoleResponse:
        """Delete a role; see the contract."""
        await self._roles.delete(request.name, held(), expected(request.etag))
        return pb.DeleteRoleResponse()


def _role(role: RoleDefinition) -> pb.Role:
    return pb.Role(
        name=role.name,
        description=role.description,
        permissions=sorted(role.permissions),
        built_in=role.built_in,
        create_time=timestamp_to_proto(role.create_time),
        update_time=timestamp_to_proto(role.update_time),
        etag=role.etag,
    )
