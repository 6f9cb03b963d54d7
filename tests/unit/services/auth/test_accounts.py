"""Registering, logging in, and the tokens that come of it."""

import asyncio
import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from joserfc import jwt
from joserfc.jwk import OKPKey
from structlog.testing import capture_logs

from services.auth.accounts import Accounts, FirstAdmin, Login
from services.auth.domain import EmailTaken, InvalidCredentials, Role, User, UserDisabled
from services.auth.keyring import KeyRing, Schedule
from services.auth.mint import Mint
from services.auth.store import Account
from services.auth.tokens import TokenIssuer
from tests.unit.services.auth.fakes import MemoryKeys, MemoryStore, quick_passwords

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
PASSWORD = "correct horse battery"
KEYS = KeyRing(MemoryKeys(lambda: NOW), Schedule(timedelta(0), timedelta(days=1), timedelta(0)), lambda: NOW)


def accounts_on(store: MemoryStore, time_cost: int = 1) -> Accounts:
    """Build the use cases over a store."""
    ids = map(str, itertools.count(1))
    mint = Mint(TokenIssuer("https://issuer", "audience", timedelta(minutes=15)), KEYS, lambda: NOW)
    return Accounts(store, quick_passwords(time_cost), mint, lambda: NOW, lambda: next(ids))


async def test_a_registered_user_logs_in_with_any_spelling_of_the_email() -> None:
    """The token names the user by id."""
    accounts = accounts_on(MemoryStore())
    user = await accounts.register("Ann@example.com", PASSWORD, "Ann")
    login = await accounts.log_in("ann@EXAMPLE.com", PASSWORD)
    assert login.user == user
    assert user.roles == (Role.CUSTOMER,)


async def test_an_email_registers_once() -> None:
    """Also in another spelling."""
    accounts = accounts_on(MemoryStore())
    await accounts.register("ann@example.com", PASSWORD, "Ann")
    with pytest.raises(EmailTaken):
        await accounts.register("ANN@example.com", PASSWORD, "Another Ann")


@pytest.mark.parametrize(("email", "password"), [("ann@example.com", "wrong"), ("bob@example.com", PASSWORD)])
async def test_a_wrong_password_and_an_unknown_email_get_the_same_answer(email: str, password: str) -> None:
    """Nobody learns who has an account."""
    accounts = accounts_on(MemoryStore())
    await accounts.register("ann@example.com", PASSWORD, "Ann")
    with pytest.raises(InvalidCredentials, match="email or password is wrong"):
        await accounts.log_in(email, password)


async def test_a_token_verifies_with_a_published_key() -> None:
    """And names the user; what else it says is tested with tokens."""
    accounts = accounts_on(MemoryStore())
    user = await accounts.register("ann@example.com", PASSWORD, "Ann")
    token = (await accounts.log_in("ann@example.com", PASSWORD)).token
    (key,) = await KEYS.published()
    public = OKPKey.import_key({"kty": "OKP", "crv": "Ed25519", "x": key.public})
    assert jwt.decode(token, public, algorithms=["EdDSA"]).claims["sub"] == user.id


async def test_a_hash_of_older_parameters_is_renewed_at_login() -> None:
    """The password stays the same."""
    store = MemoryStore()
    await accounts_on(store).register("ann@example.com", PASSWORD, "Ann")
    before = store.accounts["ann@example.com"].password_hash
    await accounts_on(store, time_cost=2).log_in("ann@example.com", PASSWORD)
    assert store.accounts["ann@example.com"].password_hash != before
    await accounts_on(store).log_in("ann@example.com", PASSWORD)


async def test_the_first_admin_is_created_once() -> None:
    """A second start changes nothing, also not with another password in the settings."""
    store = MemoryStore()
    for password in (PASSWORD, "another password"):
        await FirstAdmin(accounts_on(store), store, "admin@example.com", password).run(asyncio.Event())
    login = await accounts_on(store).log_in("admin@example.com", PASSWORD)
    assert login.user.roles == (Role.ADMIN,)


async def test_whoever_registered_with_the_email_of_the_admin_does_not_become_one() -> None:
    """The log says that there is no admin, and what to do."""
    store = MemoryStore()
    user = await accounts_on(store).register("Admin@example.com", PASSWORD, "Ann")
    with capture_logs() as logs:
        await FirstAdmin(accounts_on(store), store, "admin@example.com", PASSWORD).run(asyncio.Event())
    assert store.accounts["admin@example.com"].user.roles == (Role.CUSTOMER,)
    assert [(entry["log_level"], entry["user_id"]) for entry in logs] == [("warning", user.id)]


async def test_a_user_who_was_disabled_does_not_log_in() -> None:
    """And hears why only with the right password."""
    store = MemoryStore()
    user = await accounts_on(store).register("ann@example.com", PASSWORD, "Ann")
    kept = store.accounts["ann@example.com"]
    store.accounts["ann@example.com"] = replace(kept, user=replace(user, disable_time=NOW))
    with pytest.raises(UserDisabled):
        await accounts_on(store).log_in("ann@example.com", PASSWORD)
    with pytest.raises(InvalidCredentials):
        await accounts_on(store).log_in("ann@example.com", "wrong")


def test_neither_token_nor_hash_shows_when_printed() -> None:
    """What is logged by accident must not help anybody."""
    user = User("1", "ann@example.com", "Ann", (Role.CUSTOMER,), 1, NOW)
    assert "secret" not in repr(Login(user, "secret")) + repr(Account(user, "secret"))
