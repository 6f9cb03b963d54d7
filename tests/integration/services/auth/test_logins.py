"""Logging in on the real database: what is said, to whom it is said, and how guessing gets slower."""

import asyncio
from datetime import timedelta

import pytest

from services.auth.domain import InvalidCredentials
from services.auth.domain.proofs import TooManyAttempts
from services.auth.domain.sessions import Client
from services.common.database import Database
from tests.integration.postgres import Postgres
from tests.integration.services.auth.conftest import ABROAD, EMAIL, HOME, PASSWORD, Auth, Clock, Told

FREE = 10


async def guess(auth: Auth, email: str, client: Client, times: int = 1) -> None:
    """Try a wrong password."""
    for _ in range(times):
        with pytest.raises(InvalidCredentials):
            await auth.logins.log_in(email, "a wrong password", client)


async def test_any_spelling_of_the_email_logs_in(auth: Auth) -> None:
    """Case and space around it make no other person."""
    ann = await auth.registered("Ann@Example.com")
    login = await auth.logged_in(" ann@example.COM ")
    assert (login.user.id, login.user.email) == (ann, "Ann@Example.com")


async def test_registering_a_taken_email_changes_nothing_and_tells_its_owner(auth: Auth, told: Told) -> None:
    """The caller is told the same; the password stays the owner's."""
    ann = await auth.registered()
    await auth.accounts.register("ANN@example.com", "another long password", "Not Ann")
    assert (await auth.logged_in()).user.id == ann
    with pytest.raises(InvalidCredentials):
        await auth.logged_in(password="another long password")
    assert told.events()[:3] == ["UserRegistered", "EmailVerificationRequested", "RegistrationRepeated"]


async def test_of_two_registrations_at_once_one_has_the_account(auth: Auth, told: Told) -> None:
    """The other one is told the same, and its password is not the account's."""
    passwords = [f"password number {each}" for each in range(6)]
    await asyncio.gather(*(auth.accounts.register(EMAIL, each, "Ann") for each in passwords))
    assert told.events().count("UserRegistered") == 1
    outcomes = await asyncio.gather(*(auth.logged_in(password=each) for each in passwords), return_exceptions=True)
    assert sum(not isinstance(each, BaseException) for each in outcomes) == 1


async def test_an_unverified_email_is_refused_where_that_is_demanded(
    database: Database, clock: Clock, told: Told
) -> None:
    """In the words of a wrong password: who registers with any address must not learn whether it was free."""
    auth = Auth(database, clock, verified_only=True)
    await auth.registered()
    with pytest.raises(InvalidCredentials) as unverified:
        await auth.logged_in()
    with pytest.raises(InvalidCredentials) as unknown:
        await auth.logged_in("nobody@example.com")
    assert str(unverified.value) == str(unknown.value)
    (code_id,) = told.code_ids()
    await auth.credentials.verify_email((await auth.credentials.issue_code(code_id)).code)
    assert (await auth.logged_in()).user.email_verified


@pytest.mark.parametrize("email", [EMAIL, "nobody@example.com"])
async def test_guessing_gets_slower_whether_or_not_there_is_an_account(auth: Auth, email: str) -> None:
    """Ten for free, then pauses that double up to a quarter of an hour."""
    await auth.registered()
    await guess(auth, email, ABROAD, FREE)
    pauses = []
    for _ in range(12):
        with pytest.raises(TooManyAttempts) as refused:
            await auth.logins.log_in(email, "a wrong password", ABROAD)
        assert refused.value.retry_after is not None
        pauses.append(refused.value.retry_after)
        auth.clock.pass_(seconds=refused.value.retry_after.total_seconds())
        await guess(auth, email, ABROAD)
    assert pauses[:4] == [timedelta(seconds=each) for each in (1, 2, 4, 8)]
    assert max(pauses) == pauses[-1] == timedelta(minutes=15)


async def test_guesses_at_once_are_no_way_around_the_count(auth: Auth) -> None:
    """An attempt is counted before it is made."""
    await auth.registered()
    outcomes = await asyncio.gather(
        *(auth.logins.log_in(EMAIL, "a wrong password", ABROAD) for _ in range(40)), return_exceptions=True
    )
    assert sum(isinstance(each, InvalidCredentials) for each in outcomes) == FREE


async def test_who_guesses_does_not_lock_out_the_owner(auth: Auth, told: Told) -> None:
    """The owner's network has a count of its own; a success clears it."""
    await auth.registered()
    await auth.logged_in()
    for number in range(11):
        await guess(auth, EMAIL, Client(f"203.0.113.{number}"), FREE - 1)
    with pytest.raises(TooManyAttempts):  # A hundred from anywhere: strangers wait.
        await auth.logins.log_in(EMAIL, PASSWORD, Client("203.0.113.99"))
    await guess(auth, EMAIL, HOME, FREE - 1)
    await auth.logged_in()
    await guess(auth, EMAIL, HOME, FREE - 1)
    await auth.logged_in()
    assert "LoginBlocked" in told.events()


async def test_strangers_wait_a_minute_at_most(auth: Auth) -> None:
    """An owner on the way is kept out for that long, and not for ever."""
    await auth.registered()
    for number in range(12):
        try:
            await guess(auth, EMAIL, Client(f"203.0.113.{number}"), FREE - 1)
        except TooManyAttempts:
            auth.clock.pass_(seconds=60)
    auth.clock.pass_(seconds=60)
    await auth.logged_in(client=ABROAD)


async def test_one_customer_of_ipv6_is_one_network(auth: Auth) -> None:
    """Else a guesser would have 2^64 addresses to count from anew."""
    await auth.registered()
    for each in range(FREE):
        await guess(auth, EMAIL, Client(f"2001:db8:1:2::{each:x}"))
    with pytest.raises(TooManyAttempts):
        await auth.logins.log_in(EMAIL, PASSWORD, Client("2001:db8:1:2:ffff::1"))


async def test_the_database_alone_tells_nobodys_name(auth: Auth, postgres: Postgres) -> None:
    """No column of no table has the email, the name, the address or the browser in it; neither do events."""
    await auth.registered()
    await auth.logged_in()
    with postgres.superuser("auth") as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        dump = "".join(
            str(connection.execute(f"SELECT t::text FROM {table} t").fetchall())  # noqa: S608 - names from the catalogue
            for (table,) in tables
        )
    for text in (EMAIL, "Ann", HOME.address, HOME.user_agent):
        assert text not in dump
        assert text.encode().hex() not in dump
