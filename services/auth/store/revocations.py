"""Access tokens that were revoked, and whether those whose they are may still come in."""

from datetime import datetime

from services.auth import events as told
from services.common import events
from services.common.database import Database

_REVOKE = "INSERT INTO revoked_tokens (id, expire_time) VALUES (%(id)s, %(expire_time)s) ON CONFLICT DO NOTHING"
_FORGET = "DELETE FROM revoked_tokens WHERE expire_time < clock_timestamp()"
_HOLDS = """
SELECT NOT EXISTS (SELECT FROM revoked_tokens WHERE id = %(id)s)
   AND (%(session_id)s = ''
     OR EXISTS (SELECT FROM sessions WHERE id = CAST(nullif(%(session_id)s, '') AS uuid) AND end_time IS NULL))
   AND (EXISTS (SELECT FROM users WHERE id = CAST(%(subject)s AS uuid) AND disable_time IS NULL AND erase_time IS NULL)
     OR EXISTS (SELECT FROM service_accounts WHERE id = CAST(%(subject)s AS uuid) AND disable_time IS NULL))
"""


class RevocationStore:
    """Revoked tokens."""

    def __init__(self, database: Database) -> None:
        """`database` is auth's own."""
        self._database = database

    async def revoke(self, token_id: str, subject: str, expire_time: datetime) -> None:
        """Commit that a token holds no more, and the event; nothing when it was revoked before."""
        async with self._database.transaction() as connection:
            values = {"id": token_id, "expire_time": expire_time}
            if (await connection.execute(_REVOKE, values)).rowcount:
                await connection.execute(_FORGET)
                await events.append(connection, told.access_token_revoked(token_id, subject))

    async def holds(self, token_id: str, subject: str, session_id: str) -> bool:
        """Tell whether a token was not revoked, whoever it is of may come in, and the session, if any, goes on."""
        values = {"id": token_id, "subject": subject, "session_id": session_id}
        (holds,) = await self._database.row(_HOLDS, values)
        return bool(holds)
