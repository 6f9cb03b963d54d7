"""The service's own PostgreSQL database: connections, limits, health, and its failures in the words of mesh.errors.

Connections are made when they are first needed, so a service starts before its database does. Nothing of SQL and no
driver's message ever leaves through an error.
"""

import contextlib
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, InterfaceError, OperationalError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from mesh import errors
from mesh.telemetry import get_logger
from services.common.settings import ServiceSettings

_log = get_logger(__name__)

SERVICES = Path(__file__).resolve().parents[1]
CONNECT_SECONDS = 5
POOL_PATIENCE_SECONDS = 3.0

# SQLSTATE -> what the caller is told (PostgreSQL manual, appendix A).
_START_OVER = {"40001": "SERIALIZATION_FAILURE", "40P01": "DEADLOCK"}
_TOO_SLOW = {"57014": "STATEMENT_TIMEOUT"}
_BUSY = {"55P03": "LOCK_TIMEOUT"}
_NO_SUCH_TABLE = "42P01"
_NOT_TEXT = {"22021", "22P05"}


class NotMigratedError(Exception):
    """The database's schema is older than this code needs."""


class Database:
    """A pool of connections to one database."""

    def __init__(self, engine: AsyncEngine, revision: str) -> None:
        """`revision`: the oldest schema this code works with."""
        self._engine = engine
        self._autocommit = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._revision = revision

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, settings: ServiceSettings) -> "AsyncIterator[Database]":
        """Make the pool; nothing is connected yet."""
        engine = create_async_engine(
            settings.database_url.get_secret_value(),
            pool_size=settings.database_pool_size,
            max_overflow=0,
            pool_timeout=POOL_PATIENCE_SECONDS,
            hide_parameters=True,
            connect_args={
                "connect_timeout": CONNECT_SECONDS,
                "application_name": settings.instance,
                "options": _limits(settings),
            },
        )
        try:
            yield cls(engine, newest_revision(settings.service))
        finally:
            await engine.dispose()

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """Run several statements as one commit; an exception inside undoes them all."""
        with _translated():
            async with self._engine.begin() as connection:
                yield connection

    @contextlib.asynccontextmanager
    async def autocommit(self) -> AsyncIterator[AsyncConnection]:
        """Run statements each of which is its own commit: saves two round trips where there is one statement."""
        with _translated():
            async with self._autocommit.connect() as connection:
                yield connection

    async def ping(self) -> None:
        """Raise unless the database answers and its schema is new enough."""
        found = await self._found_revision()
        if found < self._revision:
            raise NotMigratedError(f"the schema is at {found or 'nothing'}, this code needs {self._revision}")

    async def _found_revision(self) -> str:
        try:
            async with self.autocommit() as connection:
                found = await connection.execute(text("SELECT max(version_num) FROM alembic_version"))
                return found.scalar_one() or ""
        except ProgrammingError as failure:
            if _state(failure) != _NO_SUCH_TABLE:
                raise
            return ""


def newest_revision(service: str) -> str:
    """Return the number of a service's newest migration; "" when it has none."""
    files = (SERVICES / service / "migrations" / "versions").glob("[0-9]*.py")
    return max((file.name.partition("_")[0] for file in files), default="")


def _limits(settings: ServiceSettings) -> str:
    milliseconds = {
        "lock_timeout": settings.database_lock_seconds,
        "statement_timeout": settings.database_statement_seconds,
        "idle_in_transaction_session_timeout": settings.database_statement_seconds,
    }
    return " ".join(f"-c {name}={int(seconds * 1000)}" for name, seconds in milliseconds.items())


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    """Turn the database's own failures into ours. What a constraint says is the store's to understand."""
    try:
        yield
    except IntegrityError:
        raise
    except (DBAPIError, PoolTimeoutError) as failure:
        if isinstance(failure, DataError):
            raise _refusal(failure) from None
        error = _error_of(failure)
        if error is None:
            raise
        _log.warning("the database failed", reason=error.reason, error=str(failure.__cause__ or failure))
        raise error from failure


def _state(failure: Exception) -> str:
    return getattr(getattr(failure, "orig", None), "sqlstate", None) or ""


def _refusal(failure: DataError) -> errors.InvalidArgument:
    """A value that PostgreSQL, or before it the driver, refused: no contract can rule out all of them."""
    if _state(failure) in _NOT_TEXT or "NUL" in str(failure.orig):
        return errors.InvalidArgument("a text holds the character NUL; leave it out", reason="TEXT_INVALID")
    return errors.InvalidArgument("a value of the request, such as its page token, is none", reason="VALUE_INVALID")


def _error_of(failure: DBAPIError | PoolTimeoutError) -> errors.Error | None:
    state = _state(failure)
    if state in _START_OVER:
        return errors.Aborted("somebody else changed the same just now; send it again", reason=_START_OVER[state])
    if state in _TOO_SLOW:
        return errors.DeadlineExceeded("the database took too long", reason=_TOO_SLOW[state])
    if state in _BUSY or isinstance(failure, (OperationalError, InterfaceError, PoolTimeoutError)):
        return errors.Unavailable(
            "the database can't be used at this moment; send it again",
            reason=_BUSY.get(state, "DATABASE_UNAVAILABLE"),
            retry_after=timedelta(seconds=1),
        )
    return None
