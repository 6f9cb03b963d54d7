"""Attempts at secrets, counted before they are made, so that many at once are no way around the count."""

from datetime import datetime, timedelta

from services.auth.domain.proofs import Backoff
from services.common.database import Database

_TAKE = """
INSERT INTO attempts AS kept (key, failures, blocked_until, update_time) VALUES (%(key)s, 1, %(now)s, %(now)s)
ON CONFLICT (key) DO UPDATE SET
    failures = CASE WHEN kept.update_time < %(forgotten)s THEN 1 ELSE kept.failures + 1 END,
    blocked_until = CASE
        WHEN kept.update_time < %(forgotten)s OR kept.failures + 1 < %(free)s THEN %(now)s
        ELSE %(now)s + least(%(longest)s, %(first)s * power(2, least(kept.failures + 1 - %(free)s, 30))) END,
    update_time = %(now)s
WHERE kept.blocked_until <= %(now)s
RETURNING failures
"""
_BLOCKED = "SELECT blocked_until FROM attempts WHERE key = %(key)s"
_CLEAR = "DELETE FROM attempts WHERE key = ANY(%(keys)s)"


class AttemptStore:
    """How often what was tried."""

    def __init__(self, database: Database) -> None:
        """`database`: of the auth service."""
        self._database = database

    async def take(self, key: bytes, backoff: Backoff, now: datetime) -> int | timedelta:
        """Count an attempt and return how many there were, or, uncounted, how long to wait before the next."""
        values = {
            "key": key,
            "now": now,
            "forgotten": now - backoff.memory,
            "free": backoff.free,
            "first": backoff.first_pause,
            "longest": backoff.longest_pause,
        }
        row = await self._database.row(_TAKE, values)
        if row is not None:
            failures: int = row.failures
            return failures
        blocked = await self._database.row(_BLOCKED, {"key": key})
        wait: timedelta = blocked.blocked_until - now if blocked else timedelta(0)
        return max(wait, timedelta(seconds=1))

    async def clear(self, *keys: bytes) -> None:
        """Forget attempts: one of them was right."""
        await self._database.run(_CLEAR, {"keys": list(keys)})
