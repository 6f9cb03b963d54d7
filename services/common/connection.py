"""A connection to PostgreSQL that prepares each statement once, and asks for no more than its rows.

psycopg's cursors can do much that no store needs, and each statement pays for it: a cursor and a set of adapters are
made, its values' names and its row's columns looked up anew. What is used here are the layers below: psycopg.adapt,
which turns values into what PostgreSQL reads and back, and psycopg.pq, which is libpq. `execute`, `cursor`,
`transaction` and what goes with them are psycopg's own still. One row read by its key takes 105 µs of CPU, not 180.

PostgreSQL keeps a statement's plan unless it thinks one made anew for the values at hand cheaper, which it does for
short arrays, every time: 0.4 ms to plan what runs in 0.04. In a sub-select, `(SELECT CAST(%(skus)s AS text[]))`, it
does not see how long they are, and keeps the plan.
"""

import functools
import itertools
import re
from collections import namedtuple
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from psycopg import AsyncConnection, adapt, generators
from psycopg.abc import PQGen, Transformer
from psycopg.adapt import PyFormat
from psycopg.errors import error_from_result
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGresult

Row = Any
"""A row, as a named tuple of its columns; the store that asked knows which."""

Values = Mapping[str, Any]
"""What a statement's %(name)s stand for."""

_Known = dict[tuple[str, tuple[int, ...] | None], bytes]
"""The names of prepared statements, by their text and the types of their values."""

_GOOD: Final = frozenset({ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK})
_NUMBERS: Final = itertools.count(1)
_PLACEHOLDER: Final = re.compile(r"%(?:\((\w+)\)s|%)")


class Connection(AsyncConnection[Row]):
    """A connection that gives rows in one step. Statements are constants: each is prepared for as long as it lasts."""

    _known: _Known | None = None
    _adaption: Transformer

    async def rows(self, statement: str, values: Values | None = None) -> list[Row]:
        """Run a statement and return all its rows."""
        result = await self._answer(statement, values)
        return self._adaption.load_rows(0, result.ntuples, self._row_maker(result))

    async def row(self, statement: str, values: Values | None = None) -> Row:
        """Run a statement and return its first row; None when it has none."""
        result = await self._answer(statement, values)
        return self._adaption.load_row(0, self._row_maker(result)) if result.ntuples else None

    async def run(self, statement: str, values: Values | None = None) -> int:
        """Run a statement and return how many rows it changed."""
        return (await self._answer(statement, values)).command_tuples or 0

    async def _answer(self, statement: str, values: Values | None) -> PGresult:
        async with self.lock:
            if self._known is None:
                # Not before: adapters are registered when the connection is there.
                self._known, self._adaption = {}, adapt.Transformer(self)
            text, names = (statement, ()) if values is None else _numbered(statement)
            adaption = self._adaption
            found = [values[name] for name in names] if values else []
            given = adaption.dump_sequence(found, [PyFormat.AUTO] * len(found))
            prepared = await self._name_of(self._known, (text, adaption.types))
            self.pgconn.send_query_prepared(prepared, given, adaption.formats)
            return await self._received()

    async def _name_of(self, known: _Known, key: tuple[str, tuple[int, ...] | None]) -> bytes:
        if (name := known.get(key)) is None:
            text, types = key
            # A name is used once: who gives up waiting does not learn whether PostgreSQL has it by then.
            name = b"ordermesh_%d" % next(_NUMBERS)
            self.pgconn.send_prepare(name, text.encode(), types)
            await self._received()
            known[key] = name
        return name

    async def _received(self) -> PGresult:
        """Wait for the one answer. Raises psycopg's errors."""
        answering: PQGen[list[PGresult]] = generators.execute(self.pgconn)
        (result,) = await self.wait(answering)
        if result.status not in _GOOD:
            raise error_from_result(result)
        return result

    def _row_maker(self, result: PGresult) -> Callable[[Sequence[Any]], Row]:
        self._adaption.set_pgresult(result)
        return _row_maker(tuple([result.fname(column) or b"" for column in range(result.nfields)]))


@functools.cache
def _numbered(statement: str) -> tuple[str, tuple[str, ...]]:
    """Write $1 for the first %(name)s, and so on, as PostgreSQL has it; with the names in their order."""
    numbers: dict[str, int] = {}

    def number(found: re.Match[str]) -> str:
        name = found[1]
        return f"${numbers.setdefault(name, len(numbers) + 1)}" if name else "%"

    return _PLACEHOLDER.sub(number, statement), tuple(numbers)


@functools.cache
def _row_maker(columns: tuple[bytes, ...]) -> Callable[[Sequence[Any]], Row]:
    names = [column.decode() for column in columns]
    kind: Any = namedtuple("Row", names, rename=True)  # type: ignore[misc] # noqa: PYI024 - made up as it comes
    made: Callable[[Sequence[Any]], Row] = kind._make
    return made
