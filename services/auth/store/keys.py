"""Signing keys as the database has them: it alone decides which there are and when each signs, for all instances."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.auth.events import signing_key_created, signing_key_deleted
from services.auth.keys import KeyVault, SigningKey
from services.common import events
from services.common.database import Connection, Database, Row

# Instances and commands that change keys at once do it one after the other. The number is any, only the same for all.
_LOCK = "SELECT pg_advisory_xact_lock(7021)"
_KEYS = """
SELECT id, public_key, sealed_private_key, create_time, sign_time, sealed_by FROM signing_keys
ORDER BY sign_time DESC, id
"""
# The newest, if it is young enough or has not begun to sign: then there is no need for another.
_YOUNG = """
SELECT id, sign_time FROM signing_keys
WHERE sign_time > clock_timestamp() OR sign_time > clock_timestamp() - CAST(%(age)s AS interval)
ORDER BY sign_time DESC LIMIT 1
"""
# The first key of all has nobody who relies on another, and signs at once.
_ADD = """
INSERT INTO signing_keys (id, public_key, sealed_private_key, sealed_by, create_time, sign_time)
SELECT %(id)s, %(public_key)s, %(sealed)s, %(sealed_by)s, clock_timestamp(),
       clock_timestamp() + CASE WHEN EXISTS (SELECT FROM signing_keys) THEN CAST(%(wait)s AS interval)
                                ELSE interval '0' END
RETURNING sign_time
"""
_DELETE_ENDED = """
WITH successors AS (SELECT id, lead(sign_time) OVER (ORDER BY sign_time, id) AS sign_time FROM signing_keys)
DELETE FROM signing_keys USING successors
WHERE successors.id = signing_keys.id AND successors.sign_time < clock_timestamp() - CAST(%(keep)s AS interval)
RETURNING signing_keys.id
"""
_RESEAL = "UPDATE signing_keys SET sealed_private_key = %(sealed)s, sealed_by = %(sealed_by)s WHERE id = %(id)s"


@dataclass(frozen=True, slots=True)
class Rotation:
    """The newest key, which was `added` just now or was there, and when it begins to sign."""

    key_id: str
    sign_time: datetime
    added: bool


class KeyStore:
    """Signing keys."""

    def __init__(self, database: Database, vault: KeyVault) -> None:
        """`vault` seals private keys before they come here."""
        self._database = database
        self._vault = vault

    async def keys(self) -> list[SigningKey]:
        """Read all keys, those that sign last first."""
        return [self._opened(row) for row in await self._database.rows(_KEYS)]

    async def rotate(self, key: SigningKey, wait: timedelta, age: timedelta = timedelta(0)) -> Rotation:
        """Keep a key that signs after the wait, unless the newest is younger than `age` or is still waiting itself."""
        async with self._database.transaction() as connection:
            await connection.run(_LOCK)
            young = await connection.row(_YOUNG, {"age": age})
            if young is not None:
                return Rotation(young.id, young.sign_time, added=False)
            parameters = {"id": key.id, "public_key": key.public, **self._sealed(key), "wait": wait}
            (sign_time,) = await connection.row(_ADD, parameters)
            await events.append(connection, signing_key_created(key.id, sign_time))
        return Rotation(key.id, sign_time, added=True)

    async def tidy(self, keep: timedelta) -> Sequence[str]:
        """Delete the keys whose successors have been signing for longer than `keep`; seal the rest anew if need be."""
        async with self._database.transaction() as connection:
            await connection.run(_LOCK)
            deleted = [row.id for row in await connection.rows(_DELETE_ENDED, {"keep": keep})]
            for id_ in deleted:
                await events.append(connection, signing_key_deleted(id_))
            await self._reseal(connection)
        return deleted

    async def _reseal(self, connection: Connection) -> None:
        for row in await connection.rows(_KEYS):
            if row.sealed_by != self._vault.name:
                key = self._opened(row)
                await connection.run(_RESEAL, {"id": key.id, **self._sealed(key)})

    def _sealed(self, key: SigningKey) -> dict[str, object]:
        return {"sealed": self._vault.seal(key), "sealed_by": self._vault.name}

    def _opened(self, row: Row) -> SigningKey:
        times = (row.create_time, row.sign_time)
        return self._vault.open(row.id, row.public_key, row.sealed_private_key, times, row.sealed_by)
