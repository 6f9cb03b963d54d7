"""Registering, the first admin, and the tokens that are signed."""

import asyncio
import itertools
from datetime import UTC, datetime, timedelta

import pytest
from argon2 import PasswordHasher
from joserfc import jwt
from joserfc.jwk import OKPKey
from structlog.testing import capture_logs

from services.auth.accounts import Accounts, FirstAdmin
from services.auth.domain import Role, User
from services.auth.domain.proofs import MAILS
from services.auth.domain.sessions import Client, RefreshToken, Session
from services.auth.keys import SigningKey, WrongSecretError
from services.auth.passwords import Passwords
from services.auth.sealing import Digests, Sealed
from services.auth.sessions import Login
from services.auth.store import Account
from services.auth.throttle import Throttle
from services.auth.tokens import TokenIssuer
from tests.unit.services.auth.fakes import MemoryAttempts, MemoryStore, quick_passwords

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
PASSWORD = "correct horse battery"


def accounts_on(store: MemoryStore) -> Accounts:
    """Build the use cases over a store."""
    ids = map(str, itertools.count(1))
    tokens = TokenIssuer("https://issuer", "audience", timedelta(minutes=15))
    throttle = Throttle(MemoryAttempts(), Digests(bytes(32)), lambda: NOW)
    return Accounts(store, quick_passwords(), tokens, throttle=throttle, clock=lambda: NOW, new_id=lambda: next(ids))


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
    tokens = TokenIssuer("https://issuer", "audience", timedelta(minutes=15))
    hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    accounts = Accounts(store, Counting(hasher), tokens, throttle=throttle, clock=lambda: NOW, new_id=lambda: "1")
    for password in ("the first one's", "the second one's"):
        await accounts.register("ann@example.com", password, "Ann")
    assert hashed == ["the first one's", "the second one's"]


async def test_a_token_verifies_with_a_published_key() -> None:
    """And names the user and the session; what else it says is tested with tokens."""
    accounts = accounts_on(MemoryStore())
    user = User("7", "ann@example.com", "Ann", (Role.CUSTOMER,), 1, NOW)
    token = await accounts.issue(user, "s1")
    (key,) = await accounts.keys()
    public = OKPKey.import_key({"kty": "OKP", "crv": "Ed25519", "x": key.public})
    claims = jwt.decode(token, public, algorithms=["EdDSA"]).claims
    assert (claims["sub"], claims["sid"]) == ("7", "s1")


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


async def test_two_instances_that_start_at_once_sign_with_the_same_key() -> None:
    """Whoever came second takes the key of the first."""
    store = MemoryStore()
    first, second = await asyncio.gather(accounts_on(store).keys(), accounts_on(store).keys())
    assert first == second
    assert len(first) == 1


async def test_health_says_when_the_keys_cannot_be_opened() -> None:
    """Nobody could log in; the next check tries again."""

    class Sealed(MemoryStore):
        async def keys(self) -> list[SigningKey]:
            raise WrongSecretError("k1")

    with pytest.raises(WrongSecretError):
        await accounts_on(Sealed()).check()
    await accounts_on(MemoryStore()).check()


def test_neither_token_nor_hash_shows_when_printed() -> None:
    """What is logged by accident must not help anybody."""
    user = User("1", "ann@example.com", "Ann", (Role.CUSTOMER,), 1, NOW)
    session = Session("s", "1", Client(), NOW, NOW, NOW)
    assert "secret" not in repr(Login(user, session, "secret", "secret")) + repr(Account(user, "secret"))
    assert "secret" not in repr(RefreshToken(b"secret", b"secret")) + repr(Sealed(b"secret", "k"))
