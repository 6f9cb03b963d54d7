"""All that is kept of one user: read, and erased."""

from collections.abc import Set as AbstractSet
from datetime import datetime

from services.auth.domain import ADMIN, User, UserNotFound, require_held
from services.auth.domain.proofs import AdminNotErased
from services.auth.domain.sessions import EndReason, Session
from services.auth.events import user_erased
from services.auth.sealing import DataKeys, Digests
from services.auth.store import sessions
from services.auth.store.roles import permissions_of
from services.auth.store.rows import USER_COLUMNS, lock, tell, user_of
from services.common.database import Database

_USER = f"""
SELECT {USER_COLUMNS} FROM users u WHERE u.erase_time IS NULL
  AND (u.id = CAST(%(id)s AS uuid) OR u.email_digest = %(email_digest)s)
"""  # noqa: S608 - constants only
_SESSIONS = """
SELECT id::text, user_id::text, client, data_key, create_time, last_used_time, expire_time FROM sessions
WHERE user_id = CAST(%(id)s AS uuid) ORDER BY id DESC
"""
_ROLES = "SELECT roles FROM users WHERE id = CAST(%(id)s AS uuid) AND erase_time IS NULL"
_KEPT_OF_A_USER = (
    "sessions", "known_networks", "login_challenges", "one_time_codes", "recovery_codes", "totp_factors",
)  # fmt: skip
# Nobody logs in with a hash that is none.
_ERASE = """
UPDATE users SET personal_data = NULL, data_key = NULL, email_digest = NULL, email = NULL, canonical_email = NULL,
    display_name = NULL, password_hash = '', roles = '{}', verify_time = NULL, erase_time = %(now)s
WHERE id = CAST(%(id)s AS uuid)
"""


class PersonalDataStore:
    """What is done with all of a user's data at once."""

    def __init__(self, database: Database, data_keys: DataKeys, digests: Digests) -> None:
        """`data_keys` open what is sealed; `digests` find users by email."""
        self._database = database
        self._data_keys = data_keys
        self._digests = digests

    async def find(self, *, user_id: str | None, email: str) -> User:
        """Read a user by id or by email. Raises UserNotFound."""
        values = {"id": user_id, "email_digest": self._digests.of("email", email)}
        row = await self._database.row(_USER, values)
        if row is None:
            raise UserNotFound(user_id or "with this email")
        return user_of(row, self._data_keys)

    async def sessions(self, user_id: str) -> list[Session]:
        """Read all sessions of a user, also those that ended, newest first."""
        rows = await self._database.rows(_SESSIONS, {"id": user_id})
        return [sessions.session_of(row, self._data_keys) for row in rows]

    async def erase(self, user_id: str, now: datetime, held: AbstractSet[str]) -> None:
        """Take everything but the id away, and tell of it. `held` is what who asks may do.

        Raises UserNotFound and AdminNotErased, and PermissionDenied for a user who may do more than who asks.
        """
        async with self._database.transaction() as connection:
            await lock(connection, user_id)
            row = await connection.row(_ROLES, {"id": user_id})
            if row is None:
                raise UserNotFound(user_id)
            if ADMIN in row.roles:
                raise AdminNotErased
            require_held(await permissions_of(connection, row.roles), held)
            await sessions.end(connection, user_id, EndReason.ERASED, now)
            for table in _KEPT_OF_A_USER:
                await connection.run(
                    f"DELETE FROM {table} WHERE user_id = CAST(%(id)s AS uuid)",  # noqa: S608 - one of the above
                    {"id": user_id},
                )
            await connection.run(_ERASE, {"id": user_id, "now": now})
            await tell(connection, user_id, user_erased(user_id))
