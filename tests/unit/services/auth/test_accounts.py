"""Registering, logging in, and the tokens that come of it."""

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from services.auth.accounts import Accounts, FirstAdmin, Login
from services.auth.domain import EmailTaken, InvalidCredentials, Role, User
from services.auth.store import Account
from services.auth.tokens import TokenIssuer
from tests.unit.services.auth.fakes import MemoryStore, quick_passwords

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
PASSWORD = "correct horse battery"


def accounts_on(store: MemoryStore, time_cost: int = 1) -> Accounts:
    """Build the use cases over a store."""
    ids = map(str, itertools.count(1))
    tokens = TokenIssuer("https://issuer", "audience", timedelta(minutes=15))
    return Accounts(store, quick_passwords(time_cost), tokens, lambda: NOW, lambda: next(ids))


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


async def test_the_token_verifies_with_the_published_key_and_says_what_its_user_may_do() -> None:
    """It holds for its lifetime and carries no personal data."""
    store = MemoryStore()
    accounts = accounts_on(store)
    user = await accounts.register("ann@example.com", PASSWORD, "Ann")
    token = (await accounts.log_in("ann@example.com", PASSWORD)).token
    (key,) = await accounts.keys()
    public = OKPKey.import_key({"kty": "OKP", "crv": "Ed25519", "x": key.public})
    decoded = jwt.decode(token, public, algorithms=["EdDSA"])
    assert decoded.header["kid"] == key.id
    assert decoded.claims["sub"] == user.id
    assert decoded.claims["exp"] - decoded.claims["iat"] == timedelta(minutes=15).total_seconds()
    assert "orders.create" in decoded.claims["permissions"]
    assert "ann" not in str(decoded.claims).lower()


async def test_a_token_of_another_key_does_not_verify() -> None:
    """Neither does one that names no algorithm."""
    login = None
    for store in (MemoryStore(), other := MemoryStore()):
        accounts = accounts_on(store)
        await accounts.register("ann@example.com", PASSWORD, "Ann")
        login = login or await accounts.log_in("ann@example.com", PASSWORD)
        await accounts.keys()
    assert login
    public = OKPKey.import_key({"kty": "OKP", "crv": "Ed25519", "x": other.signing_keys[0].public})
    with pytest.raises(JoseError):
        jwt.decode(login.token, public, algorithms=["EdDSA"])


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
        await FirstAdmin(accounts_on(store), "admin@example.com", password).run(None)  # type: ignore[arg-type]
    login = await accounts_on(store).log_in("admin@example.com", PASSWORD)
    assert login.user.roles == (Role.ADMIN,)


def test_neither_token_nor_hash_shows_when_printed() -> None:
    """What is logged by accident must not help anybody."""
    user = User("1", "ann@example.com", "Ann", (Role.CUSTOMER,), 1, NOW)
    assert "secret" not in repr(Login(user, "secret")) + repr(Account(user, "secret"))
