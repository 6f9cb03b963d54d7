"""Sealing what is in clear or under an older key, and deleting what is over."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from services.auth.domain import canonical
from services.auth.sealing import DataKeys, Digests, Sealed
from services.common.database import Connection, Database, Row

_CLEAR_USERS = """
SELECT id::text, email, display_name FROM users WHERE email IS NOT NULL
ORDER BY id LIMIT %(limit)s FOR UPDATE SKIP LOCKED
"""
_SEAL_USER = """
UPDATE users SET personal_data = %(content)s, data_key = %(key_id)s, email_digest = %(email_digest)s,
    email = NULL, canonical_email = NULL, display_name = NULL
WHERE id = CAST(%(id)s AS uuid)
"""
# What is sealed where, and what it is bound to, beside the id.
_SEALED: Final[tuple[Mapping[str, str], ...]] = (
    {"table": "users", "id": "id", "content": "personal_data", "bound": "user"},
    {"table": "sessions", "id": "id", "content": "client", "bound": "session"},
    {"table": "totp_factors", "id": "user_id", "content": "secret", "bound": "second factor of"},
)
_OLD = """
SELECT {id}::text AS id, {content} AS content, data_key FROM {table} WHERE data_key <> %(current)s
LIMIT %(limit)s FOR UPDATE SKIP LOCKED
"""
_RESEAL = "UPDATE {table} SET {content} = %(content)s, data_key = %(key_id)s WHERE {id} = CAST(%(id)s AS uuid)"
_SWEEP = (
    "DELETE FROM sessions WHERE expire_time < %(before)s OR end_time < %(before)s",
    "DELETE FROM deleted_service_accounts WHERE delete_time < %(before)s",
    "DELETE FROM login_challenges WHERE expire_time < %(now)s",
    "DELETE FROM one_time_codes WHERE expire_time < %(now)s",
    "DELETE FROM known_networks WHERE last_used_time < CAST(%(before)s AS timestamptz) - interval '180 days'",
    "DELETE FROM attempts WHERE update_time < CAST(%(now)s AS timestamptz) - interval '1 day'",
)


class UpkeepStore:
    """What happens behind everybody's back."""

    def __init__(self, database: Database, data_keys: DataKeys, digests: Digests) -> None:
        """`data_keys` opens by any of its keys, and seals by the first."""
        self._database = database
        self._data_keys = data_keys
        self._digests = digests

    async def seal_clear(self, limit: int) -> int:
        """Seal users that an older version kept in clear; return how many."""
        async with self._database.transaction() as connection:
            users = await connection.rows(_CLEAR_USERS, {"limit": limit})
            for user in users:
                await connection.run(_SEAL_USER, self._sealed(user))
        return len(users)

    async def reseal(self, limit: int) -> int:
        """Seal by the present key what an older one sealed; return how many."""
        async with self._database.transaction() as connection:
            return sum([await self._reseal(connection, each, limit) for each in _SEALED])

    async def sweep(self, before: datetime, now: datetime) -> int:
        """Delete what was over before a time, and codes and challenges that are over now; return how many."""
        return sum([await self._database.run(each, {"before": before, "now": now}) for each in _SWEEP])

    async def _reseal(self, connection: Connection, place: Mapping[str, str], limit: int) -> int:
        old = await connection.rows(_OLD.format(**place), {"current": self._data_keys.current, "limit": limit})
        for row in old:
            belongs = f"{place['bound']} {row.id}"
            fresh = self._data_keys.seal(self._data_keys.open(Sealed(row.content, row.data_key), belongs), belongs)
            values = {"id": row.id, "content": fresh.content, "key_id": fresh.key_id}
            await connection.run(_RESEAL.format(**place), values)
        return len(old)

    def _sealed(self, user: Row) -> dict[str, object]:
        text = json.dumps({"email": user.email, "display_name": user.display_name})
        sealed = self._data_keys.seal(text, f"user {user.id}")
        return {
            "id": user.id,
            "content": sealed.content,
            "key_id": sealed.key_id,
            "email_digest": self._digests.of("email", canonical(user.email)),
        }
