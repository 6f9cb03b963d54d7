"""Second factors: the authenticator's secret, the recovery codes, and logins that wait for one of them."""

from dataclasses import dataclass, field
from datetime import datetime

from services.auth.domain.proofs import CHALLENGE_LIFETIME, CHALLENGE_TRIES
from services.auth.events import (
    recovery_code_used,
    recovery_codes_replaced,
    second_factor_disabled,
    second_factor_enabled,
)
from services.auth.sealing import DataKeys, Sealed
from services.auth.store.rows import lock, tell
from services.common.database import Connection, Database

_ENROL = """
INSERT INTO totp_factors AS kept (user_id, secret, data_key, create_time)
VALUES (CAST(%(user_id)s AS uuid), %(secret)s, %(data_key)s, %(now)s)
ON CONFLICT (user_id) DO UPDATE SET secret = excluded.secret, data_key = excluded.data_key, last_step = 0,
    create_time = excluded.create_time
WHERE kept.confirm_time IS NULL
"""
_FACTOR = """
SELECT secret, data_key, confirm_time IS NOT NULL AS confirmed FROM totp_factors
WHERE user_id = CAST(%(user_id)s AS uuid)
"""
# Of two who come with the same code one finds its step taken.
_TAKE_STEP = """
UPDATE totp_factors SET last_step = %(step)s
WHERE user_id = CAST(%(user_id)s AS uuid) AND last_step < %(step)s AND confirm_time IS NOT NULL
"""
_CONFIRM = """
UPDATE totp_factors SET last_step = %(step)s, confirm_time = %(now)s
WHERE user_id = CAST(%(user_id)s AS uuid) AND confirm_time IS NULL
"""
_DISABLE = """
WITH codes AS (DELETE FROM recovery_codes WHERE user_id = CAST(%(user_id)s AS uuid))
DELETE FROM totp_factors WHERE user_id = CAST(%(user_id)s AS uuid) AND confirm_time IS NOT NULL
"""
_VOID_CODES = "DELETE FROM recovery_codes WHERE user_id = CAST(%(user_id)s AS uuid)"
_ADD_CODES = """
INSERT INTO recovery_codes (user_id, code_digest) SELECT CAST(%(user_id)s AS uuid), unnest(CAST(%(digests)s AS bytea[]))
"""
_USE_CODE = "DELETE FROM recovery_codes WHERE user_id = CAST(%(user_id)s AS uuid) AND code_digest = %(digest)s"
_LEFT = "SELECT count(*) AS left FROM recovery_codes WHERE user_id = CAST(%(user_id)s AS uuid)"
_CHALLENGE = """
INSERT INTO login_challenges (token_hash, user_id, expire_time)
VALUES (%(token_hash)s, CAST(%(user_id)s AS uuid), %(expire_time)s)
"""
_TRY = """
UPDATE login_challenges SET failures = failures + 1
WHERE token_hash = %(token_hash)s AND failures < %(tries)s AND expire_time > %(now)s
RETURNING user_id::text
"""
_MET = "DELETE FROM login_challenges WHERE token_hash = %(token_hash)s"


@dataclass(frozen=True, slots=True)
class Factor:
    """A user's authenticator; nothing asks for it before it is confirmed."""

    secret: str = field(repr=False)
    confirmed: bool


class FactorStore:
    """Second factors and the logins that wait for them."""

    def __init__(self, database: Database, data_keys: DataKeys) -> None:
        """`data_keys` seals the authenticators' secrets."""
        self._database = database
        self._data_keys = data_keys

    async def enrol(self, user_id: str, secret: str, now: datetime) -> bool:
        """Keep a secret to be confirmed, in place of one that was not; False when one was."""
        sealed = self._data_keys.seal(secret, _row(user_id))
        values = {"user_id": user_id, "secret": sealed.content, "data_key": sealed.key_id, "now": now}
        return bool(await self._database.run(_ENROL, values))

    async def factor(self, user_id: str) -> Factor | None:
        """Read the user's authenticator."""
        row = await self._database.row(_FACTOR, {"user_id": user_id})
        if row is None:
            return None
        return Factor(self._data_keys.open(Sealed(row.secret, row.data_key), _row(user_id)), row.confirmed)

    async def confirm(self, user_id: str, step: int, digests: list[bytes], now: datetime) -> bool:
        """Turn the factor on, with its recovery codes. False when it is on already."""
        async with self._database.transaction() as connection:
            await lock(connection, user_id)
            if not await connection.run(_CONFIRM, {"user_id": user_id, "step": step, "now": now}):
                return False
            await tell(connection, user_id, second_factor_enabled(user_id))
            await _put_codes(connection, user_id, digests)
        return True

    async def take_step(self, user_id: str, step: int) -> bool:
        """Take the code of these 30 seconds. False when it, or a later one, was taken before."""
        return bool(await self._database.run(_TAKE_STEP, {"user_id": user_id, "step": step}))

    async def use_recovery_code(self, user_id: str, digest: bytes) -> bool:
        """Take a recovery code. False when there is no such, or not any more."""
        async with self._database.transaction() as connection:
            await lock(connection, user_id)
            values = {"user_id": user_id, "digest": digest}
            if not await connection.run(_USE_CODE, values):
                return False
            left = (await connection.row(_LEFT, values)).left
            await tell(connection, user_id, recovery_code_used(user_id, left))
        return True

    async def replace_codes(self, user_id: str, digests: list[bytes]) -> None:
        """Void the recovery codes, and keep new ones."""
        async with self._database.transaction() as connection:
            await tell(connection, user_id, recovery_codes_replaced(user_id))
            await _put_codes(connection, user_id, digests)

    async def disable(self, user_id: str) -> bool:
        """Turn the factor off; its recovery codes are void. False when there is none."""
        async with self._database.transaction() as connection:
            await lock(connection, user_id)
            if not await connection.run(_DISABLE, {"user_id": user_id}):
                return False
            await tell(connection, user_id, second_factor_disabled(user_id))
        return True

    async def challenge(self, user_id: str, token_hash: bytes, now: datetime) -> None:
        """Keep a login that waits for its second factor."""
        values = {"user_id": user_id, "token_hash": token_hash, "expire_time": now + CHALLENGE_LIFETIME}
        await self._database.run(_CHALLENGE, values)

    async def try_challenge(self, token_hash: bytes, now: datetime) -> str | None:
        """Count a try, and return whose login waits. None when it waits no more."""
        values = {"token_hash": token_hash, "tries": CHALLENGE_TRIES, "now": now}
        row = await self._database.row(_TRY, values)
        return None if row is None else str(row.user_id)

    async def challenge_met(self, token_hash: bytes) -> bool:
        """Take the login that waited. False when somebody else did."""
        return bool(await self._database.run(_MET, {"token_hash": token_hash}))


async def _put_codes(connection: Connection, user_id: str, digests: list[bytes]) -> None:
    await connection.run(_VOID_CODES, {"user_id": user_id})
    await connection.run(_ADD_CODES, {"user_id": user_id, "digests": digests})


def _row(user_id: str) -> str:
    return f"second factor of {user_id}"
