"""What migrations make: the events table with its publication, and roles that may do no more than they need."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from deploy.native import secrets
from deploy.native.provision import postgres as provision
from services.common.database import newest_revision
from services.common.migrate import configuration
from tests.integration.mesh.control_plane.processes import python_environment
from tests.integration.postgres import Postgres

SERVICES = ("order", "inventory", "payment")
WRITE = (
    "INSERT INTO events (aggregate_type, aggregate_id, sequence, type, payload, actor) "
    "VALUES ('order', 'o', %s, 't', '', 'a')"
)


@pytest.fixture(autouse=True)
def migrated(postgres: Postgres) -> None:
    """Bring the services' schemas up."""
    postgres.migrate(*SERVICES)


@pytest.mark.parametrize("service", SERVICES)
def test_migrating_again_changes_nothing(postgres: Postgres, service: str) -> None:
    """Every start runs the migrations."""
    postgres.migrate(service)
    assert provision.revision(postgres.runtime, service) == newest_revision(service)
    assert provision.is_migrated(postgres.runtime, service)


def test_a_service_without_migrations_is_an_error() -> None:
    """A wrong name is not a service with an empty schema."""
    with pytest.raises(LookupError, match="shipping"):
        configuration("shipping")


def test_two_who_migrate_at_once_do_it_once(postgres: Postgres) -> None:
    """Two instances that start together."""
    with postgres.superuser("order") as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public AUTHORIZATION pg_database_owner")
        connection.execute("DROP PUBLICATION order_events")
    provision.databases(postgres.runtime)
    url = postgres.url("order", secrets.owner_role("order"))
    command = (sys.executable, "-m", "services.common.migrate", "order", "upgrade")

    def upgrade(_: int) -> subprocess.CompletedProcess[str]:
        environment = python_environment(ORDERMESH_DATABASE_URL=url)
        return subprocess.run(command, env=environment, check=False, capture_output=True, text=True)  # noqa: S603

    with ThreadPoolExecutor() as threads:
        for done in threads.map(upgrade, range(2)):
            assert done.returncode == 0, done.stderr
            assert url not in done.stdout + done.stderr
    assert provision.revision(postgres.runtime, "order") == newest_revision("order")


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE events SET actor = 'nobody'",
        "DELETE FROM events",
        "TRUNCATE events",
        "DROP TABLE events",
        "ALTER TABLE events ADD COLUMN more text",
        "CREATE TABLE mine ()",
        "CREATE TEMPORARY TABLE mine ()",
        "UPDATE alembic_version SET version_num = '9999'",
        "DELETE FROM alembic_version",
        "SELECT pg_create_logical_replication_slot('mine', 'pgoutput')",
    ],
)
def test_a_service_can_not_change_its_history_or_its_schema(postgres: Postgres, service: str, statement: str) -> None:
    """Its role may add events and read them, whatever the code or whoever got hold of its password tries."""
    with postgres.app(service) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(statement.encode())


APPEND_ONLY = [
    ("order", "order_lines"),
    ("order", "idempotency_keys"),
    ("inventory", "stock_movements"),
    ("inventory", "allocations"),
    ("payment", "ledger_entries"),
    ("payment", "sandbox_movements"),
]


@pytest.mark.parametrize(("service", "table"), APPEND_ONLY)
def test_what_is_append_only_stays_so(postgres: Postgres, service: str, table: str) -> None:
    """Ledgers and audit trails are never corrected in place."""
    with postgres.app(service) as connection:
        granted = connection.execute(
            "SELECT privilege FROM unnest(ARRAY['SELECT','INSERT','UPDATE','DELETE','TRUNCATE']) AS privilege "
            "WHERE has_table_privilege(%s, privilege)",
            [table],
        ).fetchall()
    assert granted == [("SELECT",), ("INSERT",)]


DELETABLE = {
    # Deliveries that were acted on, and the rows of files that were compared, are kept for a while only.
    "payment": {"webhook_deliveries", "settlement_rows"},
}


@pytest.mark.parametrize("service", SERVICES)
def test_nothing_of_a_service_can_be_deleted_by_it(postgres: Postgres, service: str) -> None:
    """Whoever adds a table that needs it says so here."""
    with postgres.app(service) as connection:
        deletable = connection.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' "
            "AND has_table_privilege(oid, 'DELETE')"
        ).fetchall()
    assert {name for (name,) in deletable} == DELETABLE.get(service, set())


def test_a_service_can_not_enter_the_database_of_another(postgres: Postgres) -> None:
    """Databases are private; so is the one for maintenance."""
    url = postgres.url("order", "order_app").replace("+psycopg", "")
    for foreign in ("inventory", "payment", "postgres"):
        with pytest.raises(psycopg.OperationalError, match="permission denied"):
            psycopg.connect(url.replace("/orders", f"/{foreign}"))


def test_of_two_events_with_one_sequence_the_second_is_refused(postgres: Postgres) -> None:
    """That is also what keeps two writers from overwriting each other."""
    with postgres.app("order") as connection:
        connection.execute(WRITE, [1])
        connection.execute(WRITE, [2])
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.execute(WRITE, [2])
        with pytest.raises(psycopg.errors.CheckViolation):
            connection.execute(WRITE, [0])
    postgres.empty("order")


def test_debezium_reads_events_and_nothing_else(postgres: Postgres) -> None:
    """Its role sees the WAL, which is why it gets no more by SQL."""
    url = postgres.url("order", secrets.DEBEZIUM_ROLE).replace("+psycopg", "")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SELECT count(*) FROM events")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("SELECT count(*) FROM orders")
    with postgres.superuser("order") as connection:
        published = connection.execute("SELECT tablename, rowfilter FROM pg_publication_tables").fetchall()
    assert published == [("events", None)]
