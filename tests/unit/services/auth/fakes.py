"""Stand-ins for what accounts are given: a store in memory and hashing that costs nothing."""

from dataclasses import replace

from argon2 import PasswordHasher

from services.auth.domain import EmailTaken, User, canonical
from services.auth.keys import SigningKey
from services.auth.passwords import Passwords
from services.auth.store import Account


class MemoryStore:
    """Keeps accounts and keys."""

    def __init__(self) -> None:
        """Start with none."""
        self.accounts: dict[str, Account] = {}
        self.signing_keys: list[SigningKey] = []

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

    async def keys(self) -> list[SigningKey]:
        """Give the keys."""
        return self.signing_keys

    async def add_first_key(self, key: SigningKey) -> None:
        """Keep the first key."""
        self.signing_keys = self.signing_keys or [key]


def quick_passwords(time_cost: int = 1) -> Passwords:
    """Hash with parameters that no install may use."""
    return Passwords(PasswordHasher(time_cost=time_cost, memory_cost=8, parallelism=1))
