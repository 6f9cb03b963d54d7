"""The database as services use it: what it says when it is away, not migrated, held up, or sent what it can't keep."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from psycopg import IntegrityError

from mesh import errors
from services.common import database as module
from services.common.database import Database, NotMigratedError
from services.common.settings import ServiceSettings
from tests.integration.postgres import Postgres

NEWEST = module.newest_revision("order")


@pytest_asyncio.fixture
async def database(postgres: Postgres) -> AsyncIterator[Database]:
    """Open the order service's database, with short limits and a table to play with."""
    postgres.migrate("order")
    with postgres.superuser("order") as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS toys (id integer PRIMARY KEY, name text)")
        connection.execute("TRUNCATE toys")
        connection.execute("INSERT INTO toys VALUES (1, 'one'), (2, 'two')")
        connection.execute("GRANT SELECT, INSERT, UPDATE ON toys TO order_app")
    settings = postgres.settings(
        ServiceSettings,
        "order",
        database_pool_size=2,
        database_lock_seconds=0.3,
        database_statement_seconds=0.6,
    )
    async with Database.open(settings) as opened:
        yield opened
    with postgres.superuser("order") as connection:
        connection.execute("DROP TABLE toys")


async def names(database: Database) -> list[str]:
    """Read the names of all toys."""
    async with database.autocommit() as connection:
        return [row.name for row in await connection.rows("SELECT name FROM toys ORDER BY id")]


async def rename(database: Database, toy: int) -> None:
    """Change a toy in a transaction."""
    async with database.transaction() as connection:
        await connection.execute("UPDATE toys SET name = 'new' WHERE id = %(toy)s", {"toy": toy})


async def renaming_then(database: Database, statement: str) -> None:
    """Change all toys, then run a statement in the same transaction, or refuse when there is none."""
    async with database.transaction() as connection:
        await connection.execute("UPDATE toys SET name = 'new'")
        if not statement:
            raise errors.FailedPrecondition("no")
        await connection.execute(statement)


async def test_a_migrated_database_is_healthy(database: Database) -> None:
    """The check passes once the schema is what the code needs."""
    await database.ping()


async def test_a_database_without_a_schema_is_not_healthy(postgres: Postgres) -> None:
    """A service that starts before its migration says so, and becomes healthy by itself afterwards."""
    with postgres.superuser() as connection:
        connection.execute("CREATE DATABASE bare")
    url = postgres.url("order", "order_app").replace("/orders", "/bare")
    async with Database.open(postgres.settings(ServiceSettings, "order", database_url=url)) as bare:
        with pytest.raises(NotMigratedError, match=f"the schema is at nothing, this code needs {NEWEST}"):
            await bare.ping()
    with postgres.superuser() as connection:
        connection.execute("DROP DATABASE bare")


async def test_a_schema_that_is_too_old_is_not_healthy(
    postgres: Postgres, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """New code waits for its migration."""
    await database.ping()
    monkeypatch.setattr(module, "newest_revision", lambda _service: "0099")
    async with Database.open(postgres.settings(ServiceSettings, "order")) as newer:
        with pytest.raises(NotMigratedError, match=f"the schema is at {NEWEST}, this code needs 0099"):
            await newer.ping()


async def test_a_server_that_is_away_is_unavailable_and_is_used_again_once_it_is_back(
    postgres: Postgres, database: Database
) -> None:
    """Nothing has to be restarted; connections from before are replaced."""
    await names(database)
    postgres.stop()
    try:
        for _ in range(2):
            with pytest.raises(errors.Unavailable) as failure:
                await names(database)
            assert failure.value.reason == "DATABASE_UNAVAILABLE"
            assert failure.value.retry_after
        with pytest.raises(errors.Unavailable):
            await database.ping()
    finally:
        postgres.start()
    assert await names(database) == ["one", "two"]
    await database.ping()


async def test_sessions_that_were_cut_off_cost_one_failure_each_at_most(postgres: Postgres, database: Database) -> None:
    """The server restarted between two calls."""
    await names(database)
    postgres.stop()
    postgres.start()
    with pytest.raises(errors.Unavailable):
        await names(database)
    assert await names(database) == ["one", "two"]


async def test_what_fails_in_a_transaction_undoes_all_of_it(database: Database) -> None:
    """A constraint that fails is the store's to understand, so it comes as it is."""
    with pytest.raises(IntegrityError):
        await renaming_then(database, "INSERT INTO toys VALUES (1, 'twice')")
    assert await names(database) == ["one", "two"]


async def test_an_error_of_ours_passes_through_a_transaction_and_undoes_it(database: Database) -> None:
    """Stores refuse by raising."""
    with pytest.raises(errors.FailedPrecondition):
        await renaming_then(database, "")
    assert await names(database) == ["one", "two"]


async def test_a_transaction_that_is_undone_leaves_the_connection_as_good_as_before(database: Database) -> None:
    """Statements stay prepared, also on a connection that ran others in psycopg's own way, many times."""
    read, write = "SELECT name FROM toys WHERE id = %(id)s", "UPDATE toys SET name = 'x' WHERE id = %(id)s"
    for _ in range(3):
        with contextlib.suppress(errors.NotFound):
            async with database.transaction() as connection:
                for _ in range(10):
                    assert (await connection.row(read, {"id": 1})) is not None
                    await connection.execute(write, {"id": 1})
                raise errors.NotFound("undo it")
    assert (await database.row(read, {"id": 1})).name == "one"


async def test_who_waits_too_long_for_a_lock_is_told_to_try_again(database: Database) -> None:
    """Somebody else holds it; the same call may do better in a second."""
    async with database.transaction() as connection:
        await connection.execute("SELECT FROM toys WHERE id = 1 FOR UPDATE")
        with pytest.raises(errors.Unavailable) as failure:
            await rename(database, 1)
    assert failure.value.reason == "LOCK_TIMEOUT"
    await rename(database, 1)


async def test_a_statement_that_takes_too_long_is_stopped(database: Database) -> None:
    """No message of the driver and nothing of the statement leaves."""
    with pytest.raises(errors.DeadlineExceeded) as failure:
        async with database.autocommit() as connection:
            await connection.execute("SELECT pg_sleep(5)")
    assert failure.value.reason == "STATEMENT_TIMEOUT"
    assert "pg_sleep" not in failure.value.message


async def test_a_transaction_that_hangs_is_undone_and_its_locks_are_free(
    postgres: Postgres, database: Database
) -> None:
    """Whoever waits for what a hung process holds gets it soon; the process is told when it goes on."""
    settings = postgres.settings(ServiceSettings, "order", database_idle_seconds=0.1)

    async def hang(hung: Database) -> None:
        async with hung.transaction() as connection:
            await connection.execute("UPDATE toys SET name = 'lost' WHERE id = 1")
            await rename(database, 1)
            await connection.execute("SELECT 1")

    async with Database.open(settings) as hung:
        with pytest.raises(errors.Unavailable) as failure:
            await hang(hung)
    assert failure.value.reason == "TRANSACTION_IDLE"
    assert await names(database) == ["new", "two"]


async def test_of_two_who_wait_for_each_other_one_is_told_to_start_over(postgres: Postgres, database: Database) -> None:
    """PostgreSQL finds a deadlock after a second."""
    await database.ping()
    both = asyncio.Barrier(2)

    async def crossing(opened: Database, *toys: int) -> None:
        async with opened.transaction() as connection:
            for toy in toys:
                await connection.execute("UPDATE toys SET name = 'x' WHERE id = %(toy)s", {"toy": toy})
                if toy == toys[0]:
                    await both.wait()

    async with Database.open(postgres.settings(ServiceSettings, "order", database_pool_size=2)) as patient:
        outcomes = await asyncio.gather(crossing(patient, 1, 2), crossing(patient, 2, 1), return_exceptions=True)
    (failure,) = (outcome for outcome in outcomes if outcome is not None)
    assert isinstance(failure, errors.Aborted)
    assert failure.reason == "DEADLOCK"


async def test_a_pool_that_is_used_up_is_unavailable(
    postgres: Postgres, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody waits for a connection longer than for an answer."""
    await database.ping()
    monkeypatch.setattr(module, "POOL_PATIENCE_SECONDS", 0.1)
    async with Database.open(postgres.settings(ServiceSettings, "order", database_pool_size=1)) as small:
        async with small.autocommit():
            with pytest.raises(errors.Unavailable):
                await small.row("SELECT 1")
            await small.ping()  # Who is busy is not sick.
        assert await small.row("SELECT 1")


@pytest.mark.parametrize("statement", ["SELECT CAST(%(value)s AS text)", "SELECT CAST(%(json)s AS jsonb)"])
async def test_a_text_that_postgresql_can_not_keep_is_the_callers_mistake(database: Database, statement: str) -> None:
    """It has no NUL characters, which a contract's string may hold."""
    with pytest.raises(errors.InvalidArgument) as failure:
        async with database.autocommit() as connection:
            await connection.execute(statement, {"value": "a\0b", "json": '"a\\u0000b"'})
    assert failure.value.reason == "TEXT_INVALID"
