"""Access tokens that were revoked, and whether those whose they are may still come in."""

from collections import defaultdict
from datetime import datetime, timedelta

from services.auth import events as told
from services.auth.domain.revocations import Revocations
from services.common import events
from services.common.database import Database

_REVOKE = "INSERT INTO revoked_tokens (id, expire_time) VALUES (%(id)s, %(expire_time)s) ON CONFLICT DO NOTHING"
# As long after its end as the edge's clock may be late (MARGIN).
_FORGET = "DELETE FROM revoked_tokens WHERE expire_time < clock_timestamp() - interval '2 minutes'"
_HOLDS = """
SELECT NOT EXISTS (SELECT FROM revoked_tokens WHERE id = %(id)s)
   AND (%(session_id)s = ''
     OR EXISTS (SELECT FROM sessions WHERE id = CAST(nullif(%(session_id)s, '') AS uuid) AND end_time IS NULL))
   AND (EXISTS (SELECT FROM users WHERE id = CAST(%(subject)s AS uuid) AND disable_time IS NULL AND erase_time IS NULL)
     OR EXISTS (SELECT FROM service_accounts WHERE id = CAST(%(subject)s AS uuid) AND disable_time IS NULL))
"""
# Each part by an index of its own. `until`: when the last token ends that it concerns.
_LISTED = """
WITH revoked (kind, id, until) AS (
    SELECT 'token', id, expire_time FROM revoked_tokens WHERE expire_time > %(ended)s
    UNION ALL
    SELECT 'session', id::text, end_time + %(lifetime)s FROM sessions WHERE end_time > %(since)s
    UNION ALL
    SELECT 'subject', id::text, disable_time + %(lifetime)s FROM users WHERE disable_time > %(since)s
    UNION ALL
    SELECT 'subject', id::text, erase_time + %(lifetime)s FROM users WHERE erase_time > %(since)s
    UNION ALL
    SELECT 'subject', id::text, disable_time + %(lifetime)s FROM service_accounts WHERE disable_time > %(since)s
    UNION ALL
    SELECT 'subject', id::text, delete_time + %(lifetime)s FROM deleted_service_accounts WHERE delete_time > %(since)s
)
SELECT kind, id, count(*) OVER () AS total FROM revoked ORDER BY until DESC, id LIMIT %(limit)s
"""
MARGIN = timedelta(minutes=2)
"""How long after its end a token is listed on: clocks differ, and one may be issued while its session ends."""


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

    async def listed(self, now: datetime, lifetime: timedelta, limit: int) -> Revocations:
        """Read what is revoked of tokens that hold for `lifetime`; of more than `limit`, what holds longest."""
        ended = now - MARGIN
        values = {"ended": ended, "since": ended - lifetime, "lifetime": lifetime, "limit": limit}
        rows = await self._database.rows(_LISTED, values)
        ids = defaultdict(list)
        for row in rows:
            ids[row.kind].append(row.id)
        left_out = rows[0].total - len(rows) if rows else 0
        return Revocations(tuple(ids["token"]), tuple(ids["session"]), tuple(ids["subject"]), left_out)
