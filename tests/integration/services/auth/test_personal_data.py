"""Sealed, resealed, swept and erased: personal data in the real database."""

import asyncio
import base64

import pytest

from mesh.errors import PermissionDenied
from services.auth.domain import InvalidCredentials, Role, User, UserNotFound
from services.auth.domain.proofs import AdminNotErased
from services.auth.domain.sessions import SessionEnded
from services.auth.sealing import DataKeys, Digests
from services.auth.store import AuthStore, UpkeepStore
from services.common.database import Database
from services.common.ids import new_id
from tests.integration.postgres import Postgres
from tests.integration.services.auth.conftest import EMAIL, HOME, PASSWORD, SECRET, Auth, Told

STAFF = frozenset(
    f"{resource}.{verb}"
    for resource, verbs in {
        "account": ("read", "manage"),
        "orders": ("create", "read", "cancel", "return"),
        "payments": ("read",),
        "notifications": ("read",),
    }.items()
    for verb in verbs
)
NEW = base64.b64encode(b"n" * 32).decode()


async def test_what_an_older_version_kept_in_clear_is_sealed_and_found(auth: Auth, postgres: Postgres) -> None:
    """The person logs in as before, and the clear text is gone."""
    ann = await auth.registered()
    with postgres.superuser("auth") as connection:
        connection.execute(
            "UPDATE users SET personal_data = NULL, data_key = NULL, email_digest = NULL, email = 'Ann@example.com',"
            " canonical_email = 'ann@example.com', display_name = 'Ann'"
        )
    assert [await auth.upkeep.seal_clear(10) for _ in range(2)] == [1, 0]
    login = await auth.logged_in()
    assert (login.user.id, login.user.email, login.user.display_name) == (ann, "Ann@example.com", "Ann")
    with postgres.superuser("auth") as connection:
        assert connection.execute("SELECT email, display_name FROM users").fetchall() == [(None, None)]


async def test_a_new_key_takes_over_and_the_old_one_can_go(auth: Auth, database: Database) -> None:
    """Users, sessions and second factors are sealed anew, by two instances at once."""
    ann = await auth.registered()
    await auth.logged_in()
    digests = Digests.read(SECRET)
    both = UpkeepStore(database, DataKeys.read(f"2:{NEW},1:{SECRET}"), digests)
    assert sum(await asyncio.gather(both.reseal(10), both.reseal(10))) == 2
    assert await both.reseal(10) == 0
    user = await AuthStore(database, DataKeys.read(f"2:{NEW}"), digests).get(ann)
    assert user.email == EMAIL


async def test_what_is_over_is_thrown_away_and_what_holds_is_not(auth: Auth) -> None:
    """A session that ended a month ago goes; one that holds stays."""
    await auth.registered()
    old, now = await auth.logged_in(), auth.clock()
    await auth.sessions.log_out(old.refresh_token, "", "")
    holds = await auth.logged_in()
    auth.clock.pass_(days=2)
    await auth.upkeep.sweep(auth.clock(), auth.clock())
    assert auth.clock() > now
    await auth.sessions.refresh(holds.refresh_token, HOME)
    assert [each.id for each in await auth.personal_data.sessions(holds.user.id)] == [holds.session.id]


async def test_an_erased_user_is_nobody_and_the_address_is_free_again(
    auth: Auth, told: Told, postgres: Postgres
) -> None:
    """Nothing but the id is left, in any table of auth."""
    ann = await auth.registered()
    login = await auth.logged_in()
    await auth.personal_data.erase(ann, auth.clock(), STAFF)
    with pytest.raises(InvalidCredentials):
        await auth.logged_in()
    with pytest.raises(SessionEnded):
        await auth.sessions.refresh(login.refresh_token, HOME)
    for gone in (auth.store.get(ann), auth.personal_data.erase(ann, auth.clock(), STAFF)):
        with pytest.raises(UserNotFound):
            await gone
    assert told.events()[-2:] == ["SessionsEnded", "UserErased"]
    with postgres.superuser("auth") as connection:
        for table in ("sessions", "known_networks", "one_time_codes"):
            assert connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)  # noqa: S608 - as above
    assert await auth.registered() != ann


async def test_an_admin_is_not_erased_by_the_way(auth: Auth) -> None:
    """The role goes first."""
    admin = await auth.accounts.add_admin("root@example.com", PASSWORD)
    assert isinstance(admin, User)
    assert Role.ADMIN in admin.roles
    with pytest.raises(AdminNotErased):
        await auth.personal_data.erase(admin.id, auth.clock(), STAFF)


async def test_a_user_is_found_by_id_and_by_email(auth: Auth) -> None:
    """And somebody else's id finds nobody."""
    ann = await auth.registered()
    assert (await auth.personal_data.find(user_id=ann, email="")).id == ann
    assert (await auth.personal_data.find(user_id=None, email=EMAIL)).id == ann
    with pytest.raises(UserNotFound):
        await auth.personal_data.find(user_id=new_id(), email="nobody@example.com")


async def test_nobody_erases_who_may_do_more_than_they(auth: Auth) -> None:
    """Else a part of what admins may would be worth the whole."""
    ann = await auth.registered()
    with pytest.raises(PermissionDenied):
        await auth.personal_data.erase(ann, auth.clock(), frozenset({"users.manage"}))
    await auth.logged_in()
