"""What admins do with users, on the real database."""

import asyncio

import pytest

from mesh import errors
from services.auth.domain import LastAdmin, Role, User, UserDisabled, UserNotFound
from services.auth.domain.sessions import SessionEnded
from services.auth.sealing import DataKeys, Digests
from services.auth.store import AuthStore, UserAdminStore
from services.common.database import Database
from services.common.ids import new_id
from tests.integration.postgres import Postgres
from tests.integration.services.auth.conftest import HOME, SECRET, Auth
from tests.integration.services.auth.edge import KNOWN, now

NOBODY = "0190f0a4-0000-7000-8000-000000000001"


@pytest.fixture
def users(database: Database) -> AuthStore:
    """Know users."""
    return AuthStore(database, DataKeys.read(f"1:{SECRET}"), Digests.read(SECRET))


@pytest.fixture
def admin(database: Database) -> UserAdminStore:
    """Decide about users."""
    return UserAdminStore(database)


async def registered(users: AuthStore, role: Role = Role.CUSTOMER) -> str:
    """Register a user."""
    user = User(new_id(), f"{new_id()}@example.com", "Ann", (role,), 0, now())
    await users.add(user, "hash", None)
    return user.id


async def test_roles_are_replaced_once(users: AuthStore, admin: UserAdminStore, postgres: Postgres) -> None:
    """With what they allow, and one event."""
    user_id = await registered(users)
    for _ in range(2):
        await admin.set_roles(user_id, ["support", "customer"], KNOWN)
    user = await users.get(user_id)
    assert user.roles == ("customer", "support")
    assert "orders.manage" in user.permissions
    assert events_of(postgres, user_id) == ["UserRegistered", "UserRolesChanged"]


async def test_a_user_is_locked_out_and_let_in_again(
    users: AuthStore, admin: UserAdminStore, postgres: Postgres
) -> None:
    """Doing it twice does nothing more."""
    user_id = await registered(users)
    for _ in range(2):
        await admin.disable(user_id, now(), KNOWN)
    assert (await users.get(user_id)).disable_time is not None
    for _ in range(2):
        await admin.enable(user_id, KNOWN)
    assert (await users.get(user_id)).disable_time is None
    assert events_of(postgres, user_id) == ["UserRegistered", "UserDisabled", "UserEnabled"]


async def test_sessions_of_who_is_locked_out_end(auth: Auth, admin: UserAdminStore) -> None:
    """The refresh token is worth nothing, also after the user is let in again."""
    user_id = await auth.registered()
    login = await auth.logged_in()
    await admin.disable(user_id, auth.clock(), KNOWN)
    with pytest.raises(SessionEnded):
        await auth.sessions.refresh(login.refresh_token, HOME)
    with pytest.raises(UserDisabled):
        await auth.logged_in()
    await admin.enable(user_id, KNOWN)
    with pytest.raises(SessionEnded):
        await auth.sessions.refresh(login.refresh_token, HOME)
    await auth.logged_in()


async def test_the_last_admin_stays(users: AuthStore, admin: UserAdminStore) -> None:
    """One who is locked out does not count."""
    last, other = await registered(users, Role.ADMIN), await registered(users, Role.ADMIN)
    await admin.disable(other, now(), KNOWN)
    with pytest.raises(LastAdmin):
        await admin.set_roles(last, ["customer"], KNOWN)
    with pytest.raises(LastAdmin):
        await admin.disable(last, now(), KNOWN)
    await admin.enable(other, KNOWN)
    await admin.set_roles(last, ["customer"], KNOWN)


async def test_admins_who_take_each_other_away_at_once_leave_one(users: AuthStore, admin: UserAdminStore) -> None:
    """Each saw the other when it began."""
    admins = [await registered(users, Role.ADMIN) for _ in range(4)]
    done = await asyncio.gather(*(admin.disable(each, now(), KNOWN) for each in admins), return_exceptions=True)
    assert [type(each) for each in done].count(LastAdmin) == 1
    left = [user for user in await users.several(admins) if user.disable_time is None]
    assert len(left) == 1


async def test_a_role_that_is_none_and_a_user_who_is_none_are_refused(users: AuthStore, admin: UserAdminStore) -> None:
    """The role by its place."""
    user_id = await registered(users)
    with pytest.raises(errors.InvalidArgument) as refused:
        await admin.set_roles(user_id, ["customer", "king"], KNOWN)
    assert [each.field for each in refused.value.violations] == ["roles[1]"]
    with pytest.raises(UserNotFound):
        await admin.set_roles(NOBODY, ["customer"], KNOWN)
    with pytest.raises(UserNotFound):
        await admin.disable(NOBODY, now(), KNOWN)


async def test_nobody_raises_themselves_or_touches_who_may_do_more(users: AuthStore, admin: UserAdminStore) -> None:
    """Whoever looks after users only stays what they are."""
    own = frozenset({"users.manage", "account.read"})
    someone, boss = await registered(users), await registered(users, Role.ADMIN)
    for attempt in (
        admin.set_roles(someone, ["admin"], own),
        admin.set_roles(boss, [], own),
        admin.disable(boss, now(), own),
    ):
        with pytest.raises(errors.PermissionDenied):
            await attempt


async def test_users_are_listed_newest_first(users: AuthStore, admin: UserAdminStore) -> None:
    """By role if so asked, a page at a time."""
    ids = [await registered(users, role) for role in (Role.CUSTOMER, Role.SUPPORT, Role.CUSTOMER)]
    assert await admin.page(None, None, 10) == ids[::-1]
    assert await admin.page(None, ids[2], 1) == [ids[1]]
    assert await admin.page("customer", None, 10) == [ids[2], ids[0]]
    assert [user.id for user in await users.several([*ids, NOBODY])] == ids[::-1]


def events_of(postgres: Postgres, user_id: str) -> list[str]:
    """Name the events about a user."""
    with postgres.superuser("auth") as connection:
        rows = connection.execute("SELECT type FROM events WHERE aggregate_id = %s ORDER BY sequence", (user_id,))
        return [str(kind).rpartition(".")[2] for (kind,) in rows]
