"""Registering, and the first admin."""

import asyncio
import itertools
from datetime import UTC, datetime

from argon2 import PasswordHasher
from structlog.testing import capture_logs

from services.auth.accounts import Accounts, FirstAdmin
from services.auth.domain import Role, User
from services.auth.domain.proofs import MAILS
from services.auth.domain.sessions import Client, RefreshToken, Session
from services.auth.passwords import Passwords
from services.auth.sealing import Digests, Sealed
from services.auth.sessions import Login
from services.auth.store import Account
from services.auth.throttle import Throttle
from tests.unit.services.auth.fakes import MemoryAttempts, MemoryStore, quick_passwords

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
PASSWORD = "correct horse battery"


def accounts_on(store: MemoryStore) -> Accounts:
    """Build the use cases over a store."""
    ids = map(str, itertools.count(1))
    throttle = Throttle(MemoryAttempts(), Digests(bytes(32)), lambda: NOW)
    return Accounts(store, quick_passwords(), throttle, lambda: NOW, lambda: next(ids))


async def test_an_email_registers_once_and_its_owner_is_told_of_the_second_time() -> None:
    """Also in another spelling; the one who asks is told the same as the first."""
    store = MemoryStore()
    accounts = accounts_on(store)
    await accounts.register("ann@example.com", PASSWORD, "Ann")
    await accounts.register("ANN@example.com", "another password", "Another Ann")
    assert store.accounts["ann@example.com"].user.display_name == "Ann"
    assert [type(message).__name__ for message in store.told] == ["RegistrationRepeated"]


async def test_an_owner_is_told_of_a_few_repeated_registrations_only() -> None:
    """Nobody fills a mailbox through us."""
    store = MemoryStore()
    accounts = accounts_on(store)
    for _ in range(20):
        await accounts.register("ann@example.com", PASSWORD, "Ann")
    assert len(store.told) == MAILS.free - 1


async def test_a_taken_email_costs_as_many_hashes_as_a_free_one() -> None:
    """A hash takes a tenth of a second: without it anybody could tell by the time."""
    hashed = []

    class Counting(Passwords):
        async def hash(self, password: str) -> str:
            hashed.append(password)
            return await super().hash(password)

    store = MemoryStore()
    throttle = Throttle(MemoryAttempts(), Digests(bytes(32)), lambda: NOW)
    hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    accounts = Accounts(store, Counting(hasher), throttle, lambda: NOW, lambda: "1")
    for password in ("the first one's", "the second one's"):
        await accounts.register("ann@example.com", password, "Ann")
    assert hashed == ["the first one's", "the second one's"]


async def test_the_first_admin_is_created_once() -> None:
    """A second start changes nothing, also not with another password in the settings."""
    store = MemoryStore()
    for password in (PASSWORD, "another password"):
        await FirstAdmin(accounts_on(store), store, "admin@example.com", password).run(asyncio.Event())
    (admin,) = store.accounts.values()
    assert admin.user.roles == (Role.ADMIN,)
    assert admin.user.email_verified


async def test_whoever_registered_with_the_email_of_the_admin_does_not_become_one() -> None:
    """The log says that there is no admin, and what to do."""
    store = MemoryStore()
    await accounts_on(store).register("Admin@example.com", PASSWORD, "Ann")
    user = store.accounts["admin@example.com"].user
    with capture_logs() as logs:
        await FirstAdmin(accounts_on(store), store, "admin@example.com", PASSWORD).run(asyncio.Event())
    assert store.accounts["admin@example.com"].user.roles == (Role.CUSTOMER,)
    assert [(entry["log_level"], entry["user_id"]) for entry in logs] == [("warning", user.id)]


def test_neither_token_nor_hash_shows_when_printed() -> None:
    """What is logged by accident must not help anybody."""
    user = User("1", "ann@example.com", "Ann", (Role.CUSTOMER,), 1, NOW)
    session = Session("s", "1", Client(), NOW, NOW, NOW)
    assert "secret" not in repr(Login(user, session, "secret", "secret")) + repr(Account(user, "secret"))
    assert "secret" not in repr(RefreshToken(b"secret", b"secret")) + repr(Sealed(b"secret", "k"))
