"""Stand-ins for what accounts are given: a store in memory and hashing that costs nothing."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise

from argon2 import PasswordHasher
from google.protobuf.message import Message

from services.auth.domain import User, canonical
from services.auth.domain.proofs import Backoff
from services.auth.keys import SigningKey
from services.auth.passwords import Passwords
from services.auth.store import Account
from services.auth.store.keys import Rotation


class MemoryStore:
    """Keeps accounts."""

    def __init__(self) -> None:
        """Start with none."""
        self.accounts: dict[str, Account] = {}
        self.told: list[Message] = []

    async def add(self, user: User, password_hash: str, code_id: str | None) -> bool:
        """Keep a user whose email is free; a code for it is asked for by whoever needs none."""
        if canonical(user.email) in self.accounts:
            return False
        verified = replace(user, email_verified=code_id is None)
        self.accounts[canonical(user.email)] = Account(verified, password_hash)
        return True

    async def account(self, email: str, network: str = "") -> Account | None:
        """Find a user, who is nowhere at home."""
        del network
        return self.accounts.get(canonical(email))

    async def tell(self, user_id: str, message: Message) -> None:
        """Keep what happened to a user."""
        assert user_id
        self.told.append(message)


class MemoryKeys:
    """Keeps signing keys as the database does, by a clock that is told."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        """Start with none."""
        self._clock = clock
        self.kept: list[SigningKey] = []
        self.reads = 0

    async def keys(self) -> list[SigningKey]:
        """Give the keys."""
        self.reads += 1
        return sorted(self.kept, key=lambda key: key.sign_time, reverse=True)

    async def rotate(self, key: SigningKey, wait: timedelta, age: timedelta = timedelta(0)) -> Rotation:
        """Keep a key unless the newest is young or waits."""
        now = self._clock()
        for newest in await self.keys():
            if newest.sign_time > now - age:
                return Rotation(newest.id, newest.sign_time, added=False)
            break
        added = replace(key, sign_time=now + wait if self.kept else now)
        self.kept.append(added)
        return Rotation(added.id, added.sign_time, added=True)

    async def tidy(self, keep: timedelta) -> list[str]:
        """Delete those that were replaced so long ago."""
        kept = await self.keys()
        ended = [old for newer, old in pairwise(kept) if newer.sign_time < self._clock() - keep]
        self.kept = [key for key in kept if key not in ended]
        return [key.id for key in ended]


class MemoryAttempts:
    """Counts, and blocks after so many as are free; no time passes."""

    def __init__(self) -> None:
        """Start with none."""
        self.counts: dict[bytes, int] = {}

    async def take(self, key: bytes, backoff: Backoff, now: datetime) -> int | timedelta:
        """Count an attempt."""
        del now
        if self.counts.get(key, 0) >= backoff.free:
            return backoff.first_pause
        self.counts[key] = self.counts.get(key, 0) + 1
        return self.counts[key]

    async def clear(self, *keys: bytes) -> None:
        """Forget."""
        for key in keys:
            self.counts.pop(key, None)


def quick_passwords(time_cost: int = 1) -> Passwords:
    """Hash with parameters that no install may use."""
    return Passwords(PasswordHasher(time_cost=time_cost, memory_cost=8, parallelism=1))
