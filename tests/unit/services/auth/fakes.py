"""Stand-ins for what accounts are given: a store in memory and hashing that costs nothing."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise

from argon2 import PasswordHasher

from services.auth.domain import EmailTaken, User, canonical
from services.auth.keys import SigningKey
from services.auth.passwords import Passwords
from services.auth.store import Account
from services.auth.store.keys import Rotation


class MemoryStore:
    """Keeps accounts."""

    def __init__(self) -> None:
        """Start with none."""
        self.accounts: dict[str, Account] = {}

    async def add(self, user: User, password_hash: str) -> None:
        """Keep a user."""
        if canonical(user.email) in self.accounts:
            raise EmailTaken
        self.accounts[canonical(user.email)] = Account(user, password_hash)

    async def account(self, email: str) -> Account | None:
        """Find a user."""
        return self.accounts.get(canonical(email))

    async def rehash(self, account: Account, fresh: str) -> None:
        """Replace a hash."""
        self.accounts[canonical(account.user.email)] = replace(account, password_hash=fresh)


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


def quick_passwords(time_cost: int = 1) -> Passwords:
    """Hash with parameters that no install may use."""
    return Passwords(PasswordHasher(time_cost=time_cost, memory_cost=8, parallelism=1))
