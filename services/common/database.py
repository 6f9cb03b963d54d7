"""The service's own PostgreSQL database: connections, limits, health, and its failures in the words of mesh.errors.

Connections are made when they are first needed, so a service starts before its database does. Nothing of SQL and no
driver's message ever leaves through an error.
"""

import contextlib
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from pathlib import Path
from types import TracebackType

import psycopg
from psycopg.rows import namedtuple_row
from psycopg.types.numeric import Int8Dumper

from mesh import errors
from mesh.telemetry import get_logger
from services.common.connection import Connection, Row, Values
from services.common.pool import Pool, PoolExhaustedError
from services.common.settings import ServiceSettings

__all__ = ["Connection", "Database", "NotMigratedError", "Row", "Values", "newest_revision"]

_log = get_logger(__name__)

SERVICES = Path(__file__).resolve().parents[1]
CONNECT_SECONDS = 5
POOL_PATIENCE_SECONDS = 3.0

# SQLSTATE -> what the caller is told (PostgreSQL manual, appendix A).
_START_OVER = {"40001": "SERIALIZATION_FAILURE", "40P01": "DEADLOCK"}
_TOO_SLOW = {"57014": "STATEMENT_TIMEOUT"}
_BUSY = {"55P03": "LOCK_TIMEOUT", "25P03": "TRANSACTION_IDLE"}
_NOT_TEXT = {"22021", "22P05"}


class NotMigratedError(Exception):
    """The database's schema is older than this code needs."""


class Database:
    """A pool of connections to one database."""

    def __init__(self, pool: Pool, reserved: Pool, revision: str) -> None:
        """`reserved` is for the ping; `revision` is the oldest schema this code works with."""
        self._pool = pool
        self._reserved = reserved
        self._revision = revision

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, settings: ServiceSettings) -> "AsyncIterator[Database]":
        """Make the pool; nothing is connected yet."""

        async def connect() -> Connection:
            connection = await Connection.connect(
                settings.database_url.get_secret_value().replace("postgresql+psycopg:", "postgresql:", 1),
                autocommit=True,
                row_factory=namedtuple_row,
                connect_timeout=CONNECT_SECONDS,
                application_name=settings.instance,
                options=_limits(settings),
                # psycopg would drop all prepared statements after a rollback, those of Connection too.
                prepare_threshold=None,
            )
            # A prepared statement is known by its values' types too, and psycopg's own for int is the smallest that
            # holds the number: the same statement would be prepared again for small and for large ones.
            connection.adapters.register_dumper(int, Int8Dumper)
            return connection

        sizes = (settings.database_pool_size, 1)
        pool, reserved = (Pool(connect, size, POOL_PATIENCE_SECONDS) for size in sizes)
        try:
            yield cls(pool, reserved, newest_revision(settings.service))
        finally:
            await pool.close()
            await reserved.close()

    async def rows(self, statement: str, values: Values | None = None) -> list[Row]:
        """Run one statement, which is its own commit, and return its rows."""
        async with self.autocommit() as connection:
            return await connection.rows(statement, values)

    async def row(self, statement: str, values: Values | None = None) -> Row:
        """Run one statement, which is its own commit, and return its first row; None when it has none."""
        async with self.autocommit() as connection:
            return await connection.row(statement, values)

    async def run(self, statement: str, values: Values | None = None) -> int:
        """Run one statement, which is its own commit, and return how many rows it changed."""
        async with self.autocommit() as connection:
            return await connection.run(statement, values)

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """Run several statements as one commit; an exception inside undoes them all."""
        async with self.autocommit() as connection, connection.transaction():
            yield connection

    def autocommit(self) -> AbstractAsyncContextManager[Connection]:
        """Run statements each of which is its own commit: saves two round trips where there is one statement."""
        return _Lent(self._pool)

    async def ping(self) -> None:
        """Raise unless the database answers and its schema is new enough.

        It has a connection of its own: an instance whose others all wait, as for a lock, is busy and not sick. If it
        were taken out for that, its calls would block the next one.
        """
        found = await self._found_revision()
        if found < self._revision:
            raise NotMigratedError(f"the schema is at {found or 'nothing'}, this code needs {self._revision}")

    async def _found_revision(self) -> str:
        try:
            async with _Lent(self._reserved) as connection:
                return (await connection.row("SELECT max(version_num) FROM alembic_version"))[0] or ""
        except psycopg.errors.UndefinedTable:
            return ""


def newest_revision(service: str) -> str:
    """Return the number of a service's newest migration; "" when it has none."""
    files = (SERVICES / service / "migrations" / "versions").glob("[0-9]*.py")
    return max((file.name.partition("_")[0] for file in files), default="")


def _limits(settings: ServiceSettings) -> str:
    milliseconds = {
        "lock_timeout": settings.database_lock_seconds,
        "statement_timeout": settings.database_statement_seconds,
        "idle_in_transaction_session_timeout": settings.database_idle_seconds,
    }
    return " ".join(f"-c {name}={int(seconds * 1000)}" for name, seconds in milliseconds.items())


class _Lent(AbstractAsyncContextManager[Connection]):
    """A connection for as long as the block takes. A class, since each statement would pay for three generators."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def __aenter__(self) -> Connection:
        try:
            self._connection = await self._pool.lend()
        except (psycopg.Error, PoolExhaustedError) as failure:
            _translate(failure)
            raise
        return self._connection

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._pool.take_back(self._connection)
        if isinstance(error, psycopg.Error):
            _translate(error)


def _translate(failure: psycopg.Error | PoolExhaustedError) -> None:
    """Raise the database's own failure as one of ours. What a constraint says is the store's to understand."""
    if isinstance(failure, psycopg.IntegrityError):
        return
    if isinstance(failure, psycopg.DataError):
        raise _refusal(failure) from None
    if isinstance(failure, PoolExhaustedError):
        _log.warning("the database failed", reason="POOL_EXHAUSTED")
        raise _unavailable("DATABASE_UNAVAILABLE") from failure
    error = _error_of(failure)
    if error is not None:
        _log.warning("the database failed", reason=error.reason, error=str(failure).partition("\n")[0])
        raise error from failure


def _refusal(failure: psycopg.DataError) -> errors.InvalidArgument:
    """A value that PostgreSQL, or before it the driver, refused: no contract can rule out all of them."""
    if failure.sqlstate in _NOT_TEXT or "NUL" in str(failure):
        return errors.InvalidArgument("a text holds the character NUL; leave it out", reason="TEXT_INVALID")
    return errors.InvalidArgument("a value of the request, such as its page token, is none", reason="VALUE_INVALID")


def _error_of(failure: psycopg.Error) -> errors.Error | None:
    state = failure.sqlstate or ""
    if state in _START_OVER:
        return errors.Aborted("somebody else changed the same just now; send it again", reason=_START_OVER[state])
    if state in _TOO_SLOW:
        return errors.DeadlineExceeded("the database took too long", reason=_TOO_SLOW[state])
    if state in _BUSY or isinstance(failure, (psycopg.OperationalError, psycopg.InterfaceError)):
        return _unavailable(_BUSY.get(state, "DATABASE_UNAVAILABLE"))
    return None


def _unavailable(reason: str) -> errors.Unavailable:
    return errors.Unavailable(
        "the database can't be used at this moment; send it again", reason=reason, retry_after=timedelta(seconds=1)
    )
