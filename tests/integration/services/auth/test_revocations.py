"""What is listed as revoked, for each cause, on the real database; and who may ask for it."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from services.auth.domain.revocations import Revocations
from services.auth.domain.sessions import RefreshTokenRotated, SessionEnded
from services.auth.service_accounts import ServiceAccounts
from services.auth.store import RevocationStore, ServiceAccountStore, UserAdminStore
from services.common.database import Database
from services.common.ids import new_id
from tests.integration.services.auth.conftest import HOME, PASSWORD, Auth
from tests.integration.services.auth.edge import KNOWN

LIFETIME = timedelta(minutes=15)
NONE = Revocations((), (), (), 0)
# Beyond what clocks may differ by.
ENDED = {"minutes": 18}


@pytest.fixture
def store(database: Database) -> RevocationStore:
    """Know what is revoked."""
    return RevocationStore(database)


@pytest.fixture
def machines(database: Database) -> ServiceAccounts:
    """Have accounts of programs."""
    return ServiceAccounts(ServiceAccountStore(database), KNOWN, _now, new_id)


def _now() -> datetime:
    return datetime.now(UTC)


async def listed(store: RevocationStore, auth: Auth, limit: int = 100) -> Revocations:
    """Ask as the edge does."""
    return await store.listed(auth.clock(), LIFETIME, limit)


async def test_nothing_is_listed_while_everybody_is_welcome(store: RevocationStore, auth: Auth) -> None:
    """Also while sessions go on."""
    await auth.registered()
    login = await auth.logged_in()
    await auth.sessions.refresh(login.refresh_token, HOME)
    assert await listed(store, auth) == NONE


async def test_a_token_is_listed_until_it_has_ended(store: RevocationStore, auth: Auth) -> None:
    """And as long after that as clocks may differ."""
    await store.revoke("a-token", new_id(), auth.clock() + LIFETIME)
    assert (await listed(store, auth)).tokens == ("a-token",)
    auth.clock.pass_(minutes=16)
    assert (await listed(store, auth)).tokens == ("a-token",)
    auth.clock.pass_(minutes=2)
    assert await listed(store, auth) == NONE


async def test_a_logout_lists_the_session_until_its_last_token_has_ended(store: RevocationStore, auth: Auth) -> None:
    """The user's other session is not touched."""
    await auth.registered()
    ended, _ = await auth.logged_in(), await auth.logged_in()
    await auth.sessions.log_out(ended.refresh_token, "", "")
    assert await listed(store, auth) == Revocations((), (ended.session.id,), (), 0)
    auth.clock.pass_(**ENDED)
    assert await listed(store, auth) == NONE


async def test_a_stolen_refresh_token_lists_the_session(store: RevocationStore, auth: Auth) -> None:
    """The thief's access token ends with the victim's."""
    await auth.registered()
    login = await auth.logged_in()
    await auth.sessions.refresh(login.refresh_token, HOME)
    auth.clock.pass_(minutes=1)
    with pytest.raises((SessionEnded, RefreshTokenRotated)):
        await auth.sessions.refresh(login.refresh_token, HOME)
    assert (await listed(store, auth)).sessions == (login.session.id,)


async def test_another_password_lists_all_sessions_but_the_one_that_changed_it(
    store: RevocationStore, auth: Auth
) -> None:
    """Whoever else knew the old one is out."""
    ann = await auth.registered()
    here, there = await auth.logged_in(), await auth.logged_in()
    await auth.credentials.change_password(ann, here.session.id, PASSWORD, "another good password")
    assert (await listed(store, auth)).sessions == (there.session.id,)


async def test_whoever_ends_all_sessions_lists_them(store: RevocationStore, auth: Auth) -> None:
    """By the user's own wish."""
    ann = await auth.registered()
    sessions = {(await auth.logged_in()).session.id for _ in range(3)}
    await auth.sessions.revoke_all(ann)
    assert set((await listed(store, auth)).sessions) == sessions


async def test_a_user_who_is_locked_out_is_listed_until_let_in_again(
    store: RevocationStore, auth: Auth, database: Database
) -> None:
    """The sessions have ended for good: tokens from before are not good again."""
    ann, admin = await auth.registered(), UserAdminStore(database)
    login = await auth.logged_in()
    await admin.disable(ann, auth.clock(), KNOWN)
    assert await listed(store, auth) == Revocations((), (login.session.id,), (ann,), 0)
    await admin.enable(ann, KNOWN)
    assert await listed(store, auth) == Revocations((), (login.session.id,), (), 0)
    await admin.disable(ann, auth.clock(), KNOWN)
    auth.clock.pass_(**ENDED)
    assert await listed(store, auth) == NONE


async def test_an_erased_user_is_listed_although_nothing_is_left_of_the_sessions(
    store: RevocationStore, auth: Auth
) -> None:
    """The id is all there is."""
    ann = await auth.registered()
    await auth.logged_in()
    await auth.personal_data.erase(ann, auth.clock(), KNOWN)
    assert await listed(store, auth) == Revocations((), (), (ann,), 0)
    auth.clock.pass_(**ENDED)
    assert await listed(store, auth) == NONE


async def test_a_service_account_is_listed_while_it_is_disabled_and_once_it_is_gone(
    store: RevocationStore, auth: Auth, machines: ServiceAccounts
) -> None:
    """Its tokens name no session."""
    account = (await machines.create("a program", [], ["orders.read"], KNOWN)).account
    await machines.lock(account.id, KNOWN, out=True)
    assert await listed(store, auth) == Revocations((), (), (account.id,), 0)
    await machines.lock(account.id, KNOWN, out=False)
    assert await listed(store, auth) == NONE
    await machines.delete(account.id, KNOWN)
    assert await listed(store, auth) == Revocations((), (), (account.id,), 0)
    auth.clock.pass_(**ENDED)
    assert await listed(store, auth) == NONE


async def test_of_too_many_those_are_listed_whose_tokens_hold_longest(store: RevocationStore, auth: Auth) -> None:
    """And it is said how many are left out."""
    await auth.registered()
    first = await auth.logged_in()
    await auth.sessions.log_out(first.refresh_token, "", "")
    auth.clock.pass_(minutes=1)
    logins = [await auth.logged_in() for _ in range(3)]
    await asyncio.gather(*(auth.sessions.log_out(each.refresh_token, "", "") for each in logins))
    found = await listed(store, auth, 3)
    assert set(found.sessions) == {each.session.id for each in logins}
    assert found.left_out == 1
