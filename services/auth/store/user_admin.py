"""What admins change about users. Nothing personal is read here: who a user is, AuthStore knows."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime

from services.auth import events as told
from services.auth.domain import ADMIN, LastAdmin, UserNotFound, require_held
from services.auth.store.roles import permissions_of
from services.common import events
from services.common.database import Connection, Database
from services.common.events import EventRecord

_PAGE = """
SELECT id::text FROM users
WHERE (CAST(%(after)s AS uuid) IS NULL OR id < CAST(%(after)s AS uuid))
  AND (CAST(%(role)s AS text) IS NULL OR roles @> ARRAY[CAST(%(role)s AS text)])
ORDER BY id DESC LIMIT %(limit)s
"""
_STANDING = """
SELECT roles, disable_time, version, ARRAY(SELECT permission FROM role_permissions WHERE role = ANY (roles)) AS held
FROM users WHERE id = CAST(%(id)s AS uuid) FOR UPDATE
"""
_CHANGE = """
UPDATE users SET roles = CAST(%(roles)s AS text[]), disable_time = %(disable_time)s, version = version + 1
WHERE id = CAST(%(id)s AS uuid)
"""
# Two admins who take each other away at once do it one after the other, and the second is the last.
_LOCK_ADMINS = "SELECT pg_advisory_xact_lock(7022)"
_OTHER_ADMINS = """
SELECT EXISTS (SELECT FROM users WHERE roles @> ARRAY[CAST(%(admin)s AS text)] AND disable_time IS NULL
               AND id <> CAST(%(id)s AS uuid))
"""


@dataclass(frozen=True, slots=True)
class Standing:
    """What admins decide about a user. `version` counts the events about them."""

    user_id: str
    roles: tuple[str, ...]
    disable_time: datetime | None
    version: int

    @property
    def is_admin(self) -> bool:
        """Whether the user can look after the system."""
        return ADMIN in self.roles and self.disable_time is None


class UserAdminStore:
    """Users, as far as admins decide about them."""

    def __init__(self, database: Database) -> None:
        """`database` is auth's own."""
        self._database = database

    async def page(self, role: str | None, after: str | None, limit: int) -> Sequence[str]:
        """Read ids of users, newest first."""
        rows = await self._database.rows(_PAGE, {"role": role, "after": after, "limit": limit})
        return [row.id for row in rows]

    async def set_roles(self, user_id: str, roles: Sequence[str], held: AbstractSet[str]) -> None:
        """Commit other roles and the event. Raises UserNotFound, InvalidArgument, PermissionDenied, LastAdmin."""
        async with self._database.transaction() as connection:
            before = await self._locked(connection, user_id, held)
            require_held(await permissions_of(connection, roles), held)
            if sorted(before.roles) != sorted(roles):
                after = Standing(user_id, tuple(sorted(roles)), before.disable_time, before.version + 1)
                await self._commit(connection, before, after, told.user_roles_changed(user_id, after.version, roles))

    async def lock(self, user_id: str, disable_time: datetime | None, held: AbstractSet[str]) -> None:
        """Commit that a user is locked out from then on, or let in again, and the event; nothing when it is so already.

        Raises UserNotFound, PermissionDenied, LastAdmin.
        """
        async with self._database.transaction() as connection:
            before = await self._locked(connection, user_id, held)
            if (before.disable_time is None) != (disable_time is None):
                after = Standing(user_id, before.roles, disable_time, before.version + 1)
                event = told.user_locked(user_id, after.version, out=disable_time is not None)
                await self._commit(connection, before, after, event)

    async def _locked(self, connection: Connection, user_id: str, held: AbstractSet[str]) -> Standing:
        await connection.execute(_LOCK_ADMINS)
        row = await connection.row(_STANDING, {"id": user_id})
        if row is None:
            raise UserNotFound(user_id)
        require_held(row.held, held)
        return Standing(user_id, tuple(row.roles), row.disable_time, row.version)

    async def _commit(self, connection: Connection, before: Standing, after: Standing, event: EventRecord) -> None:
        if before.is_admin and not after.is_admin:
            (others,) = await connection.row(_OTHER_ADMINS, {"id": before.user_id, "admin": ADMIN})
            if not others:
                raise LastAdmin
        values = {"id": after.user_id, "roles": list(after.roles), "disable_time": after.disable_time}
        await connection.execute(_CHANGE, values)
        await events.append(connection, event)
