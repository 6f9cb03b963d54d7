"""`make sql s=order q='SELECT …'`: one statement in a service's database, for what no other command tells.

PostgreSQL comes without its client programs. The statement runs as the superuser; it only reads unless told otherwise.
"""

import argparse
from collections.abc import Iterable, Sequence

import psycopg

from deploy.native import command_line
from deploy.native.errors import StackError
from deploy.native.provision import postgres
from deploy.native.runtime import Runtime


def command(argv: Sequence[str]) -> None:
    """Run the statement and print what it gives, tabs between."""
    parser = command_line.parser("sql", __doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("service", help="whose database")
    parser.add_argument("statement")
    parser.add_argument("--write", action="store_true", help="let it change something")
    options = parser.parse_args(argv)
    for line in lines(command_line.this_stack(), options.service, options.statement, write=options.write):
        print(line)


def lines(runtime: Runtime, service: str, statement: str, *, write: bool) -> list[str]:
    """Run one statement as a transaction; answers the names of its columns and its rows, or how many it changed.

    Raises StackError with PostgreSQL's own words.
    """
    services = runtime.topology.services
    if service not in services:
        raise StackError(f"whose database? s=order; there are: {', '.join(services)}")
    if not statement.strip():
        raise StackError("which statement? q='SELECT …'")
    with postgres.connect(runtime, services[service].database) as connection:
        try:
            with connection.transaction():
                connection.execute(f"SET TRANSACTION {'READ WRITE' if write else 'READ ONLY'}")
                done = connection.execute(statement)
                if done.description is None:
                    return [f"{done.rowcount} rows"]
                return [_line(column.name for column in done.description), *map(_line, done)]
        except psycopg.Error as refused:
            raise StackError(str(refused).strip()) from refused


def _line(cells: Iterable[object]) -> str:
    return "\t".join("" if cell is None else str(cell) for cell in cells)
