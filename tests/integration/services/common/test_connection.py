"""What a connection makes of statements and values: rows, counts, psycopg's errors, and one preparation of each."""

import asyncio
import datetime as dt
import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from psycopg.errors import DivisionByZero, SyntaxError  # noqa: A004 - PostgreSQL's

from services.common.connection import Connection
from services.common.database import Database
from services.common.settings import ServiceSettings
from tests.integration.postgres import Postgres

PREPARED = "SELECT statement FROM pg_prepared_statements WHERE statement LIKE 'SELECT /*mine*/%'"
NOON = dt.datetime(2026, 5, 4, 12, tzinfo=dt.UTC)


@pytest_asyncio.fixture
async def connection(postgres: Postgres) -> AsyncIterator[Connection]:
    """Lend one of the order service's connections."""
    postgres.migrate("order")
    async with (
        Database.open(postgres.settings(ServiceSettings, "order", database_statement_seconds=5)) as database,
        database.autocommit() as lent,
    ):
        yield lent


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("bigint", 2**40),
        ("smallint", 7),
        ("text", "100 % of \u00fc\u2028"),
        ("bytea", b"\x00\xff"),
        ("boolean", True),
        ("uuid", uuid.UUID(int=5)),
        ("timestamptz", NOON),
        ("interval", dt.timedelta(seconds=90)),
        ("text[]", ["a", None, "b,c"]),
        ("integer[]", []),
        ("text", None),
    ],
)
async def test_a_value_comes_back_as_it_was_sent(connection: Connection, kind: str, value: object) -> None:
    """Also when the same statement had values before, which are remembered by their types."""
    for sent in (value, None, value):
        assert (await connection.row(f"SELECT CAST(%(value)s AS {kind}) AS found", {"value": sent})).found == sent


async def test_json_comes_as_python_has_it(connection: Connection) -> None:
    """Lines of an order do."""
    assert (await connection.row("SELECT json_build_array(1, 'a', NULL) AS found")).found == [1, "a", None]


async def test_a_name_may_stand_more_than_once_and_a_percent_sign_is_written_twice(connection: Connection) -> None:
    """As in all statements of psycopg that have values."""
    row = await connection.row("SELECT %(a)s + %(b)s + %(a)s AS sum, 7 %% 4 AS rest", {"b": 1, "a": 2, "unused": 3})
    assert (row.sum, row.rest) == (5, 3)


async def test_rows_are_all_and_row_is_the_first_or_none(connection: Connection) -> None:
    """In the order of the statement."""
    statement = "SELECT n FROM generate_series(1, %(to)s) n"
    assert [row.n for row in await connection.rows(statement, {"to": 3})] == [1, 2, 3]
    assert (await connection.row(statement, {"to": 3})).n == 1
    assert await connection.row(statement, {"to": 0}) is None


async def test_run_tells_how_many_rows_changed(connection: Connection) -> None:
    """None when it is not about rows."""
    add = (
        "INSERT INTO idempotency_keys (customer_id, key, fingerprint, order_id) "
        "SELECT gen_random_uuid(), 'key', '', gen_random_uuid() FROM generate_series(1, %(count)s)"
    )
    assert [await connection.run(add, {"count": count}) for count in (4, 0)] == [4, 0]
    assert await connection.run("SET lock_timeout = '1s'") == 0


async def test_a_statement_is_prepared_once_for_each_kind_of_its_values(connection: Connection) -> None:
    """And not again for another number, or another text."""
    for value in (1, 2, 2**40, "a", "b", None):
        await connection.rows("SELECT /*mine*/ CAST(%(value)s AS text)", {"value": value})
    assert len(await connection.rows(PREPARED)) == 2


async def test_what_postgresql_refuses_is_an_error_of_psycopg_and_the_connection_goes_on(
    connection: Connection,
) -> None:
    """Whether it refuses the statement or only what came of it."""
    for statement, refusal in (("SELEC 1", SyntaxError), ("SELECT 1 / %(by)s", DivisionByZero)):
        for _ in range(2):
            with pytest.raises(refusal):
                await connection.rows(statement, {"by": 0})
    assert (await connection.row("SELECT 1 AS one")).one == 1


async def test_who_gives_up_waiting_leaves_a_connection_that_can_be_used(connection: Connection) -> None:
    """The statement is stopped, wherever it was; also where it was only about to be prepared."""
    statement = "SELECT /*mine*/ 1 AS one, pg_sleep(%(seconds)s)"
    for patience in (0.0, 0.0, 0.2):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(connection.rows(statement, {"seconds": 30.0}), patience)
        other: Any = await connection.row("SELECT 2 AS two")
        assert other.two == 2
    assert (await connection.row(statement, {"seconds": 0.0})).one == 1


async def test_what_is_prepared_outlasts_a_rollback_beside_statements_of_psycopgs_own(connection: Connection) -> None:
    """It prepares what it has run often, and drops all that is prepared when a transaction fails."""
    mine = "SELECT /*mine*/ 7 AS found"
    await connection.row(mine)
    for _ in range(10):
        await connection.execute("SELECT 1")
    with pytest.raises(DivisionByZero):
        async with connection.transaction():
            await connection.row("SELECT 1 / 0")
    await connection.execute("SELECT 1")

    assert (await connection.row(mine)).found == 7
