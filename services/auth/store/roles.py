"""Roles and the permissions they stand for."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet

from services.auth import events as told
from services.auth.domain import (
    ADMIN,
    RoleChanged,
    RoleDefinition,
    RoleExists,
    RoleFixed,
    RoleInUse,
    RoleNotFound,
    require_exist,
    require_held,
)
from services.common import events
from services.common.database import Connection, Database, Row

_ROLE = """
SELECT name, id::text, description, built_in, version, create_time, update_time,
       ARRAY(SELECT permission FROM role_permissions WHERE role = name) AS permissions
FROM roles
"""
_GET = _ROLE + "WHERE name = %(name)s"
_PAGE = _ROLE + "WHERE CAST(%(after)s AS text) IS NULL OR name > %(after)s ORDER BY name LIMIT %(limit)s"
_ADD = """
INSERT INTO roles (name, description, version) VALUES (%(name)s, %(description)s, 1) ON CONFLICT DO NOTHING
RETURNING id::text
"""
_UPDATE = """
UPDATE roles SET description = %(description)s, version = version + 1, update_time = now() WHERE name = %(name)s
"""
_PERMIT = "INSERT INTO role_permissions SELECT %(name)s, unnest(CAST(%(permissions)s AS text[]))"
_FORBID = "DELETE FROM role_permissions WHERE role = %(name)s"
_DELETE = "DELETE FROM roles WHERE name = %(name)s"
_USED = """
SELECT EXISTS (SELECT FROM users WHERE roles @> ARRAY[CAST(%(name)s AS text)])
    OR EXISTS (SELECT FROM service_accounts WHERE roles @> ARRAY[CAST(%(name)s AS text)])
"""
# Roles that are being given can't be deleted meanwhile.
_GIVEN = "SELECT name FROM roles WHERE name = ANY (%(roles)s) ORDER BY name FOR SHARE"
_HELD = "SELECT DISTINCT permission FROM role_permissions WHERE role = ANY (%(roles)s)"


class RoleStore:
    """Roles."""

    def __init__(self, database: Database) -> None:
        """`database` is auth's own."""
        self._database = database

    async def get(self, name: str) -> RoleDefinition:
        """Read a role. Raises RoleNotFound."""
        row = await self._database.row(_GET, {"name": name})
        if row is None:
            raise RoleNotFound(name)
        return _role(row)

    async def page(self, after: str | None, limit: int) -> list[RoleDefinition]:
        """Read roles by name."""
        return [_role(row) for row in await self._database.rows(_PAGE, {"after": after, "limit": limit})]

    async def add(self, name: str, description: str, permissions: Sequence[str]) -> RoleDefinition:
        """Commit a new role and the event. Raises RoleExists."""
        async with self._database.transaction() as connection:
            if await connection.row(_ADD, {"name": name, "description": description}) is None:
                raise RoleExists(name)
            await connection.execute(_PERMIT, {"name": name, "permissions": list(permissions)})
            role = _role(await connection.row(_GET, {"name": name}))
            await events.append(connection, told.role_created(role))
        return role

    async def update(
        self, name: str, description: str, permissions: Sequence[str], held: AbstractSet[str], etag: str
    ) -> RoleDefinition:
        """Commit a change and the event, if it is one.

        Raises RoleNotFound, RoleFixed, RoleChanged unless `etag` is empty or still the role's, and PermissionDenied for
        more than is held.
        """
        async with self._database.transaction() as connection:
            before = await self._locked(connection, name)
            if name == ADMIN:
                raise RoleFixed(name)
            require_held(before.permissions, held)
            if (before.description, before.permissions) == (description, frozenset(permissions)):
                return before
            _require_unchanged(before, etag)
            await connection.execute(_UPDATE, {"name": name, "description": description})
            await connection.execute(_FORBID, {"name": name})
            await connection.execute(_PERMIT, {"name": name, "permissions": list(permissions)})
            role = _role(await connection.row(_GET, {"name": name}))
            await events.append(connection, told.role_updated(role))
        return role

    async def delete(self, name: str, held: AbstractSet[str], etag: str) -> None:
        """Commit that a role is gone. Raises RoleNotFound, RoleFixed, RoleInUse, and RoleChanged as above."""
        async with self._database.transaction() as connection:
            role = await self._locked(connection, name)
            require_held(role.permissions, held)
            if role.built_in:
                raise RoleFixed(name)
            _require_unchanged(role, etag)
            (used,) = await connection.row(_USED, {"name": name})
            if used:
                raise RoleInUse(name)
            await connection.execute(_DELETE, {"name": name})
            await events.append(connection, told.role_deleted(role))

    async def _locked(self, connection: Connection, name: str) -> RoleDefinition:
        row = await connection.row(_GET + " FOR UPDATE OF roles", {"name": name})
        if row is None:
            raise RoleNotFound(name)
        return _role(row)


async def permissions_of(connection: Connection, roles: Sequence[str]) -> frozenset[str]:
    """Return what roles allow, and keep them from being deleted until the commit. Raises InvalidArgument."""
    found = {row.name for row in await connection.rows(_GIVEN, {"roles": list(roles)})}
    require_exist(roles, found)
    return frozenset(row.permission for row in await connection.rows(_HELD, {"roles": list(roles)}))


def _require_unchanged(role: RoleDefinition, etag: str) -> None:
    if etag and etag != role.etag:
        raise RoleChanged(role.name)


def _role(row: Row) -> RoleDefinition:
    return RoleDefinition(
        row.id,
        row.name,
        row.description,
        frozenset(row.permissions),
        row.built_in,
        row.version,
        row.create_time,
        row.update_time,
    )
