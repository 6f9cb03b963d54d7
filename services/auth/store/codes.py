"""Codes that are sent by mail: asked for, made when the mail is written, and taken once."""

from datetime import datetime

from services.auth.domain.proofs import CodeInvalid, CodeNotFound, Purpose
from services.auth.domain.sessions import EndReason
from services.auth.events import code_requested, email_verified, password_changed
from services.auth.store import sessions
from services.auth.store.rows import lock, tell
from services.common.database import Connection, Database

_PUT = """
INSERT INTO one_time_codes AS kept (id, user_id, purpose, expire_time)
VALUES (CAST(%(id)s AS uuid), CAST(%(user_id)s AS uuid), %(purpose)s, %(expire_time)s)
ON CONFLICT (user_id, purpose) DO UPDATE SET id = excluded.id, code_hash = NULL, expire_time = excluded.expire_time
"""
_ISSUE = """
UPDATE one_time_codes SET code_hash = %(code_hash)s WHERE id = CAST(%(id)s AS uuid) AND expire_time > %(now)s
RETURNING expire_time
"""
_WORKS = """
SELECT user_id::text FROM one_time_codes
WHERE code_hash = %(code_hash)s AND purpose = %(purpose)s AND expire_time > %(now)s
"""
_TAKE = """
DELETE FROM one_time_codes WHERE code_hash = %(code_hash)s AND purpose = %(purpose)s AND expire_time > %(now)s
"""
_VERIFIED = """
UPDATE users SET verify_time = coalesce(verify_time, %(now)s) WHERE id = CAST(%(user_id)s AS uuid)
"""
_RESET = """
WITH challenges AS (DELETE FROM login_challenges WHERE user_id = CAST(%(user_id)s AS uuid))
UPDATE users SET password_hash = %(fresh)s, verify_time = coalesce(verify_time, %(now)s)
WHERE id = CAST(%(user_id)s AS uuid)
"""
_CHANGE = """
UPDATE users SET password_hash = %(fresh)s WHERE id = CAST(%(user_id)s AS uuid) AND password_hash = %(kept)s
"""


async def put(connection: Connection, user_id: str, code_id: str, purpose: Purpose, now: datetime) -> None:
    """Note that a code was asked for, in place of one before."""
    values = {"id": code_id, "user_id": user_id, "purpose": purpose, "expire_time": now + purpose.lifetime}
    await connection.run(_PUT, values)


class CodeStore:
    """What is done with codes from mails, and with the password."""

    def __init__(self, database: Database) -> None:
        """`database`: of the auth service."""
        self._database = database

    async def request(self, user_id: str, code_id: str, purpose: Purpose, now: datetime) -> None:
        """Commit that a mail with a code is to be sent."""
        async with self._database.transaction() as connection:
            await tell(connection, user_id, code_requested(purpose, user_id, code_id))
            await put(connection, user_id, code_id, purpose, now)

    async def issue(self, code_id: str, code_hash: bytes, now: datetime) -> datetime:
        """Keep the hash of the code that a mail brings; return when it ends. Raises CodeNotFound."""
        row = await self._database.row(_ISSUE, {"id": code_id, "code_hash": code_hash, "now": now})
        if row is None:
            raise CodeNotFound(code_id)
        expire_time: datetime = row.expire_time
        return expire_time

    async def require(self, code_hash: bytes, purpose: Purpose, now: datetime) -> None:
        """Raise CodeInvalid unless the code works: whoever guesses costs no more than this."""
        values = {"code_hash": code_hash, "purpose": purpose, "now": now}
        if await self._database.row(_WORKS, values) is None:
            raise CodeInvalid

    async def verify_email(self, code_hash: bytes, now: datetime) -> str:
        """Take the code, and commit that the user's email is theirs; return the user's id. Raises CodeInvalid."""
        async with self._database.transaction() as connection:
            user_id = await _taken(connection, code_hash, Purpose.EMAIL_VERIFICATION, now)
            await tell(connection, user_id, email_verified(user_id))
            await connection.run(_VERIFIED, {"user_id": user_id, "now": now})
        return user_id

    async def reset_password(self, code_hash: bytes, fresh: str, now: datetime) -> str:
        """Take the code, set the password and end all sessions; return the user's id. Raises CodeInvalid."""
        async with self._database.transaction() as connection:
            user_id = await _taken(connection, code_hash, Purpose.PASSWORD_RESET, now)
            await tell(connection, user_id, password_changed(user_id, by_reset=True))
            await connection.run(_RESET, {"user_id": user_id, "fresh": fresh, "now": now})
            await sessions.end(connection, user_id, EndReason.PASSWORD_RESET, now)
        return user_id

    async def change_password(self, user_id: str, kept: str, fresh: str, session_id: str, now: datetime) -> bool:
        """Replace a hash and end all sessions but one. False when the password was changed meanwhile."""
        async with self._database.transaction() as connection:
            await lock(connection, user_id)
            changed = await connection.run(_CHANGE, {"user_id": user_id, "kept": kept, "fresh": fresh})
            if not changed:
                return False
            await tell(connection, user_id, password_changed(user_id, by_reset=False))
            await sessions.end(connection, user_id, EndReason.PASSWORD_CHANGED, now, but=session_id)
        return True


async def _taken(connection: Connection, code_hash: bytes, purpose: Purpose, now: datetime) -> str:
    values = {"code_hash": code_hash, "purpose": purpose, "now": now}
    asked = await connection.row(_WORKS, values)
    if asked is None:
        raise CodeInvalid
    await lock(connection, asked.user_id)
    if not await connection.run(_TAKE, values):
        raise CodeInvalid  # Somebody else took it while this one waited.
    user_id: str = asked.user_id
    return user_id
