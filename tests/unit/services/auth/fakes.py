"""Stand-ins for what accounts are given: a store in memory and hashing that costs nothing."""

from dataclasses import replace
from datetime import datetime, timedelta

from argon2 import PasswordHasher
from google.protobuf.message import Message

from services.auth.domain import User, canonical
from services.auth.domain.proofs import Backoff
from services.auth.keys import SigningKey
from services.auth.passwords import Passwords
from services.auth.store import Account


class MemoryStore:
    """Keeps accounts and keys."""

    def __init__(self) -> None:
        """Start with none."""
        self.accounts: dict[str, Account] = {}
        self.signing_keys: list[SigningKey] = []
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

    async def keys(self) -> list[SigningKey]:
        """Give the keys."""
        return self.signing_keys

    async def add_first_key(self, key: SigningKey) -> None:
        """Keep the first key."""
        self.signing_keys = self.signing_keys or [key]


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
