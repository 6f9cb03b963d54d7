"""What admins change about users. Nothing personal is read here: who a user is, AuthStore knows."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import datetime

from services.auth.domain import ADMIN, LastAdmin, UserNotFound, require_held
from services.auth.domain.sessions import EndReason
from services.auth.events import user_locked, user_roles_changed
from services.auth.store import sessions
from services.auth.store.roles import permissions_of
from services.auth.store.rows import tell
from services.common.database import Connection, Database

_PAGE = """
SELECT id::text FROM users
WHERE erase_time IS NULL
  AND (CAST(%(after)s AS uuid) IS NULL OR id < CAST(%(after)s AS uuid))
  AND (CAST(%(role)s AS text) IS NULL OR roles @> ARRAY[CAST(%(role)s AS text)])
ORDER BY id DESC LIMIT %(limit)s
"""
_STANDING = """
SELECT roles, disable_time, ARRAY(SELECT permission FROM role_permissions WHERE role = ANY (roles)) AS held
FROM users WHERE id = CAST(%(id)s AS uuid) AND erase_time IS NULL FOR UPDATE
"""
_CHANGE = """
UPDATE users SET roles = CAST(%(roles)s AS text[]), disable_time = %(disable_time)s
WHERE id = CAST(%(id)s AS uuid)
"""
# Two admins who take each other away at once do it one after the other, and the second is the last.
_LOCK_ADMINS = "SELECT pg_advisory_xact_lock(7022)"
_OTHER_ADMINS = """
SELECT EXISTS (SELECT FROM users WHERE roles @> ARRAY[CAST(%(admin)s AS text)] AND disable_time IS NULL
               AND erase_time IS NULL AND id <> CAST(%(id)s AS uuid))
"""


@dataclass(frozen=True, slots=True)
class Standing:
    """What admins decide about a user."""

    user_id: str
    roles: tuple[str, ...]
    disable_time: datetime | None

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
                await self._change(connection, before, replace(before, roles=tuple(sorted(roles))))
                await tell(connection, user_id, user_roles_changed(user_id, roles))

    async def disable(self, user_id: str, now: datetime, held: AbstractSet[str]) -> None:
        """Commit that a user is locked out and the sessions end, and the events; nothing when it is so already.

        Raises UserNotFound, PermissionDenied, LastAdmin.
        """
        async with self._database.transaction() as connection:
            before = await self._locked(connection, user_id, held)
            if before.disable_time is None:
                await self._change(connection, before, replace(before, disable_time=now))
                await tell(connection, user_id, user_locked(user_id, out=True))
                await sessions.end(connection, user_id, EndReason.REVOKED, now)

    async def enable(self, user_id: str, held: AbstractSet[str]) -> None:
        """Commit that a user is let in again, and the event. Raises UserNotFound, PermissionDenied."""
        async with self._database.transaction() as connection:
            before = await self._locked(connection, user_id, held)
            if before.disable_time is not None:
                await self._change(connection, before, replace(before, disable_time=None))
                await tell(connection, user_id, user_locked(user_id, out=False))

    async def _locked(self, connection: Connection, user_id: str, held: AbstractSet[str]) -> Standing:
        await connection.execute(_LOCK_ADMINS)
        row = await connection.row(_STANDING, {"id": user_id})
        if row is None:
            raise UserNotFound(user_id)
        require_held(row.held, held)
        return Standing(user_id, tuple(row.roles), row.disable_time)

    async def _change(self, connection: Connection, before: Standing, after: Standing) -> None:
        if before.is_admin and not after.is_admin:
            (others,) = await connection.row(_OTHER_ADMINS, {"id": before.user_id, "admin": ADMIN})
            if not others:
                raise LastAdmin
        values = {"id": after.user_id, "roles": list(after.roles), "disable_time": after.disable_time}
        await connection.execute(_CHANGE, values)
