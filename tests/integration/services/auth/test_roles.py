"""Roles in the database: what the migration leaves agrees with the contracts, and what must not happen to them."""

import asyncio
import tomllib

import pytest

from mesh import errors
from mesh.contract import Contract
from services.auth.domain import RoleChanged, RoleDefinition, RoleExists, RoleFixed, RoleInUse, RoleNotFound
from services.auth.domain.service_accounts import ServiceAccountChanged
from services.auth.roles import Roles
from services.auth.service_accounts import ServiceAccounts
from services.auth.store import RoleStore, ServiceAccountStore
from services.common.database import Database
from services.common.ids import new_id
from tests.integration.conftest import CHECKOUT
from tests.integration.postgres import Postgres
from tests.integration.services.auth.edge import KNOWN, now

OWN = {"orders.read", "orders.create"}


@pytest.fixture
def store(database: Database, postgres: Postgres) -> RoleStore:
    """Open the roles, as the migrations left them."""
    with postgres.superuser("auth") as connection:
        connection.execute("DELETE FROM roles WHERE NOT built_in")
    return RoleStore(database)


@pytest.fixture
def roles(store: RoleStore) -> Roles:
    """Look after roles."""
    return Roles(store, KNOWN)


async def test_the_admin_holds_every_permission_that_a_contract_names_and_no_other(store: RoleStore) -> None:
    """A permission that nobody holds makes its method unreachable; one that nothing asks for is a typing error."""
    assert (await store.get("admin")).permissions == KNOWN


async def test_every_role_holds_permissions_that_contracts_name(store: RoleStore) -> None:
    """And there are the three that code relies on."""
    found = await store.page(None, 100)
    assert [role.name for role in found if role.built_in] == ["admin", "customer", "support"]
    assert all(role.permissions <= KNOWN for role in found)


async def test_the_roles_that_the_docs_show_are_those_of_the_migrations(store: RoleStore) -> None:
    """See tools/permissions.py."""
    shown = tomllib.loads((CHECKOUT / "services" / "auth" / "roles.toml").read_text())
    found = {role.name: sorted(role.permissions) for role in await store.page(None, 100) if role.built_in}
    assert found == shown


async def test_a_customer_holds_nothing_that_reaches_what_belongs_to_others(store: RoleStore) -> None:
    """Customers see their own only."""
    beyond = {policy.unrestricted_permission for policy in Contract.load().methods}
    assert not (await store.get("customer")).permissions & beyond


async def test_a_role_is_made_changed_and_deleted(roles: Roles, store: RoleStore, postgres: Postgres) -> None:
    """Each with its event, also when the name is used a second time."""
    for _ in range(2):
        made = await roles.create("warehouse", "Packs", ["orders.read"], KNOWN)
        changed = await roles.update("warehouse", "Packs and ships", ["orders.read", "orders.ship"], KNOWN)
        assert made.id == changed.id
        assert changed.permissions == {"orders.read", "orders.ship"}
        await roles.delete("warehouse", KNOWN)
        with pytest.raises(RoleNotFound):
            await store.get("warehouse")
    with postgres.superuser("auth") as connection:
        kinds = [str(kind).rpartition(".")[2] for (kind,) in connection.execute("SELECT type FROM events ORDER BY id")]
    assert kinds == ["RoleCreated", "RoleUpdated", "RoleDeleted"] * 2


async def test_two_who_make_a_role_at_once_make_one(roles: Roles) -> None:
    """The second is told."""
    made = await asyncio.gather(
        *(roles.create("warehouse", "Packs", [], KNOWN) for _ in range(4)), return_exceptions=True
    )
    assert [type(each) for each in made].count(RoleExists) == 3


async def test_of_two_who_change_what_both_have_read_one_is_told(roles: Roles, store: RoleStore) -> None:
    """Nobody's permissions vanish because somebody else was quicker."""
    read = await roles.create("warehouse", "Packs", [], KNOWN)
    done = await asyncio.gather(
        roles.update("warehouse", "Ships", ["orders.ship"], KNOWN, read.etag),
        roles.update("warehouse", "Reads", ["orders.read"], KNOWN, read.etag),
        return_exceptions=True,
    )
    (changed,) = [each for each in done if isinstance(each, RoleDefinition)]
    assert [type(each) for each in done if each is not changed] == [RoleChanged]
    assert await store.get("warehouse") == changed
    assert changed.etag != read.etag


async def test_a_role_that_has_changed_is_not_deleted_by_who_saw_it_before(roles: Roles, store: RoleStore) -> None:
    """Nor is another one of the same name."""
    read = await roles.create("warehouse", "Packs", [], KNOWN)
    await roles.update("warehouse", "Ships", [], KNOWN)
    with pytest.raises(RoleChanged):
        await roles.delete("warehouse", KNOWN, read.etag)
    await roles.delete("warehouse", KNOWN, (await store.get("warehouse")).etag)
    await roles.create("warehouse", "Packs", [], KNOWN)
    with pytest.raises(RoleChanged):
        await roles.delete("warehouse", KNOWN, read.etag)


async def test_a_change_that_is_sent_again_is_the_same_one(roles: Roles, postgres: Postgres) -> None:
    """Also with the etag from before it: its answer may have been lost. There is one event."""
    read = await roles.create("warehouse", "Packs", [], KNOWN)
    first, again = [await roles.update("warehouse", "Ships", ["orders.ship"], KNOWN, read.etag) for _ in range(2)]
    assert first == again
    with postgres.superuser("auth") as connection:
        ((told,),) = connection.execute("SELECT count(*) FROM events WHERE type LIKE '%%RoleUpdated'")
    assert told == 1


async def test_an_unknown_permission_is_refused(roles: Roles, store: RoleStore) -> None:
    """By its place, and nothing is made."""
    with pytest.raises(errors.InvalidArgument) as refused:
        await roles.create("warehouse", "", ["orders.read", "orders.fly"], KNOWN)
    assert [each.field for each in refused.value.violations] == ["permissions[1]"]
    with pytest.raises(RoleNotFound):
        await store.get("warehouse")


async def test_roles_that_code_relies_on_stay(roles: Roles) -> None:
    """The admin as it is, the others at least by name."""
    with pytest.raises(RoleFixed):
        await roles.update("admin", "", [], KNOWN)
    for name in ("admin", "customer"):
        with pytest.raises(RoleFixed):
            await roles.delete(name, KNOWN)


async def test_nobody_makes_a_role_worth_more_than_they_are(roles: Roles) -> None:
    """Nor touches one that is."""
    await roles.create("boss", "", ["users.manage"], KNOWN)
    for attempt in (
        roles.create("mine", "", ["users.manage"], OWN),
        roles.update("boss", "", ["orders.read"], OWN),
        roles.delete("boss", OWN),
    ):
        with pytest.raises(errors.PermissionDenied):
            await attempt


async def test_a_role_that_is_given_while_it_is_deleted_is_either(roles: Roles, database: Database) -> None:
    """Nobody is left with a role that there is not."""
    clients = ServiceAccounts(ServiceAccountStore(database), KNOWN, now, new_id)
    for _ in range(5):
        await roles.create("warehouse", "", [], KNOWN)
        given, deleted = await asyncio.gather(
            clients.create("a program", ["warehouse"], [], KNOWN),
            roles.delete("warehouse", KNOWN),
            return_exceptions=True,
        )
        if isinstance(given, errors.InvalidArgument):
            assert deleted is None
            continue
        assert isinstance(deleted, RoleInUse)
        await clients.delete(given.account.id, KNOWN)  # type: ignore[union-attr]
        await roles.delete("warehouse", KNOWN)


async def test_a_program_is_given_no_more_than_the_giver_has(database: Database) -> None:
    """By a role or by itself; nor is one that has more given a secret that one would know."""
    clients = ServiceAccounts(ServiceAccountStore(database), KNOWN, now, new_id)
    strong = await clients.create("strong", ["admin"], [], KNOWN)
    for attempt in (
        clients.create("mine", ["admin"], [], OWN),
        clients.create("mine", [], ["users.manage"], OWN),
        clients.update(strong.account.id, "mine", [], [], OWN),
        clients.rotate(strong.account.id, None, OWN),
        clients.lock(strong.account.id, OWN, out=True),
        clients.delete(strong.account.id, OWN),
    ):
        with pytest.raises(errors.PermissionDenied):
            await attempt


async def test_an_account_that_has_changed_is_left_as_it_is_by_who_saw_it_before(database: Database) -> None:
    """Whatever they want of it; and what is so already needs no change."""
    clients = ServiceAccounts(ServiceAccountStore(database), KNOWN, now, new_id)
    made = (await clients.create("printer", [], ["orders.read"], KNOWN)).account
    changed = await clients.update(made.id, "label printer", [], ["orders.read"], KNOWN, made.etag)
    assert await clients.update(made.id, "label printer", [], ["orders.read"], KNOWN, made.etag) == changed
    assert await clients.lock(made.id, KNOWN, made.etag, out=False) == changed
    for attempt in (
        clients.update(made.id, "old printer", [], [], KNOWN, made.etag),
        clients.rotate(made.id, None, KNOWN, made.etag),
        clients.lock(made.id, KNOWN, made.etag, out=True),
        clients.delete(made.id, KNOWN, made.etag),
    ):
        with pytest.raises(ServiceAccountChanged):
            await attempt
    assert await ServiceAccountStore(database).get(made.id) == changed


async def test_every_change_of_an_account_gives_it_another_etag_and_a_token_none(database: Database) -> None:
    """Else whoever looks after an account that is busy could never change it."""
    store = ServiceAccountStore(database)
    clients = ServiceAccounts(store, KNOWN, now, new_id)
    made = await clients.create("printer", [], ["orders.read"], KNOWN)
    proof = await clients.proved(made.account.id, made.secret)
    assert proof is not None
    assert await clients.issued(proof, new_id())
    assert (await store.get(made.account.id)).etag == made.account.etag
    rotated = (await clients.rotate(made.account.id, None, KNOWN, made.account.etag)).account
    locked = await clients.lock(made.account.id, KNOWN, rotated.etag, out=True)
    assert len({made.account.etag, rotated.etag, locked.etag}) == 3
    await clients.delete(made.account.id, KNOWN, locked.etag)
