"""Sessions: begun by a login, rotated by each refresh, ended for a reason."""

import json
from datetime import datetime
from typing import NamedTuple

from services.auth.domain import User
from services.auth.domain.sessions import Client, EndReason, Kept, Lifetimes, RefreshToken, Session, SessionNotFound
from services.auth.events import session_started, sessions_ended
from services.auth.sealing import DataKeys, Digests, Sealed, hash_of
from services.auth.store.rows import USER_COLUMNS, lock, tell, user_of
from services.common.database import Connection, Database, Row

_BEGIN = """
WITH session AS (
    INSERT INTO sessions (id, user_id, family_hash, token_hash, client, data_key, create_time, last_used_time,
                          expire_time, latest_time)
    VALUES (CAST(%(id)s AS uuid), CAST(%(user_id)s AS uuid), %(family_hash)s, %(token_hash)s, %(client)s, %(data_key)s,
            %(now)s, %(now)s, %(expire_time)s, %(latest_time)s)
), network AS (
    INSERT INTO known_networks (user_id, network, last_used_time)
    VALUES (CAST(%(user_id)s AS uuid), %(network)s, %(now)s)
    ON CONFLICT (user_id, network) DO UPDATE SET last_used_time = excluded.last_used_time
)
DELETE FROM attempts WHERE key = ANY(%(forgotten)s)
"""
# The row's lock makes two refreshes at once take turns, and the second one finds another token_hash.
_ROTATE = f"""
WITH rotated AS (
    UPDATE sessions SET token_hash = %(next_hash)s, previous_hash = token_hash, last_used_time = %(now)s,
        expire_time = least(%(expire_time)s, latest_time), client = %(client)s, data_key = %(data_key)s
    WHERE family_hash = %(family_hash)s AND token_hash = %(token_hash)s AND end_time IS NULL AND expire_time > %(now)s
    RETURNING id, user_id, create_time, expire_time
)
SELECT r.id::text AS session_id, r.create_time AS begin_time, r.expire_time, {USER_COLUMNS}
FROM rotated r JOIN users u ON u.id = r.user_id
"""  # noqa: S608 - constants only
_SESSION_ID = "SELECT id::text FROM sessions WHERE family_hash = %(family_hash)s"
_KEPT = """
SELECT id::text, user_id::text, previous_hash, last_used_time, expire_time, end_time FROM sessions
WHERE family_hash = %(family_hash)s
"""
_END = """
UPDATE sessions SET end_time = %(now)s
WHERE user_id = CAST(%(user_id)s AS uuid) AND end_time IS NULL AND expire_time > %(now)s
  AND (CAST(%(only)s AS uuid) IS NULL OR id = CAST(%(only)s AS uuid))
  AND (CAST(%(but)s AS uuid) IS NULL OR id <> CAST(%(but)s AS uuid))
RETURNING id::text
"""
_HOLDS = """
SELECT FROM sessions WHERE id = CAST(%(id)s AS uuid) AND user_id = CAST(%(user_id)s AS uuid) AND end_time IS NULL
  AND expire_time > %(now)s
"""
_PAGE = """
SELECT id::text, user_id::text, client, data_key, create_time, last_used_time, expire_time FROM sessions
WHERE user_id = CAST(%(user_id)s AS uuid) AND end_time IS NULL AND expire_time > %(now)s
  AND (CAST(%(after)s AS uuid) IS NULL OR id < CAST(%(after)s AS uuid))
ORDER BY id DESC LIMIT %(limit)s
"""


class Refreshed(NamedTuple):
    """A session that goes on, and whose it is."""

    session: Session
    user: User


async def end(  # noqa: PLR0913 - which of whose, why and when
    connection: Connection,
    user_id: str,
    reason: EndReason,
    now: datetime,
    *,
    only: str | None = None,
    but: str | None = None,
) -> list[str]:
    """End a user's sessions that hold, or `only` one, or all `but` one, and tell of it; return which."""
    values = {"user_id": user_id, "now": now, "only": only, "but": but or None}
    await lock(connection, user_id)
    ended = [row.id for row in await connection.rows(_END, values)]
    if ended:
        await tell(connection, user_id, sessions_ended(user_id, ended, reason))
    return ended


class SessionStore:
    """What logins, refreshes and their owners do with sessions."""

    def __init__(self, database: Database, data_keys: DataKeys, digests: Digests) -> None:
        """`data_keys` seals where a session was used from."""
        self._database = database
        self._data_keys = data_keys
        self._digests = digests

    async def begin(
        self,
        session: Session,
        token: RefreshToken,
        lifetimes: Lifetimes,
        forgotten: list[bytes],
        *,
        second_factor: bool,
    ) -> None:
        """Commit a login: the session, from where, and that the attempts before it are `forgotten`."""
        values = {
            **self._client(session.id, session.client),
            "id": session.id,
            "user_id": session.user_id,
            "family_hash": hash_of(token.family),
            "token_hash": hash_of(token.current),
            "now": session.create_time,
            "expire_time": session.expire_time,
            "latest_time": session.create_time + lifetimes.longest,
            "network": self._digests.of("network", session.client.network),
            "forgotten": forgotten,
        }
        started = session_started(session.user_id, session.id, second_factor=second_factor)
        async with self._database.transaction() as connection:
            await tell(connection, session.user_id, started)
            await connection.run(_BEGIN, values)

    async def session_id(self, token: RefreshToken) -> str | None:
        """Tell which session a token is of."""
        row = await self._database.row(_SESSION_ID, {"family_hash": hash_of(token.family)})
        return None if row is None else str(row.id)

    async def rotate(  # noqa: PLR0913 - which token gives way to which, where, when and for how long
        self,
        session_id: str,
        token: RefreshToken,
        successor: RefreshToken,
        *,
        client: Client,
        now: datetime,
        idle_end: datetime,
    ) -> Refreshed | None:
        """Put the next token in place of this one, if it is the newest and the session holds; else None."""
        values = {
            **self._client(session_id, client),
            "family_hash": hash_of(token.family),
            "token_hash": hash_of(token.current),
            "next_hash": hash_of(successor.current),
            "now": now,
            "expire_time": idle_end,
        }
        row = await self._database.row(_ROTATE, values)
        if row is None:
            return None
        user = user_of(row, self._data_keys)
        session = Session(row.session_id, user.id, client, row.begin_time, now, row.expire_time)
        return Refreshed(session, user)

    async def kept(self, token: RefreshToken) -> Kept | None:
        """Read what there is of a token's session."""
        row = await self._database.row(_KEPT, {"family_hash": hash_of(token.family)})
        return None if row is None else Kept(*row)

    async def end(self, user_id: str, session_id: str, reason: EndReason, now: datetime) -> None:
        """End one session. Raises SessionNotFound when the user has no such that holds."""
        async with self._database.transaction() as connection:
            if not await end(connection, user_id, reason, now, only=session_id):
                raise SessionNotFound(session_id)

    async def end_all(self, user_id: str, reason: EndReason, now: datetime, but: str | None = None) -> int:
        """End all sessions, but for one if so wished; return how many."""
        async with self._database.transaction() as connection:
            return len(await end(connection, user_id, reason, now, but=but))

    async def holds(self, user_id: str, session_id: str, now: datetime) -> bool:
        """Tell whether the session is the user's and can be refreshed."""
        return await self._database.row(_HOLDS, {"id": session_id, "user_id": user_id, "now": now}) is not None

    async def page(self, user_id: str, now: datetime, after: str | None, limit: int) -> list[Session]:
        """Read sessions that hold, newest first."""
        values = {"user_id": user_id, "now": now, "after": after, "limit": limit}
        return [session_of(row, self._data_keys) for row in await self._database.rows(_PAGE, values)]

    def _client(self, session_id: str, client: Client) -> dict[str, object]:
        text = json.dumps({"address": client.address, "user_agent": client.user_agent})
        sealed = self._data_keys.seal(text, f"session {session_id}")
        return {"client": sealed.content, "data_key": sealed.key_id}


def session_of(row: Row, data_keys: DataKeys) -> Session:
    """Read a session, and open where it was used from."""
    client = json.loads(data_keys.open(Sealed(row.client, row.data_key), f"session {row.id}"))
    return Session(row.id, row.user_id, Client(**client), row.create_time, row.last_used_time, row.expire_time)
