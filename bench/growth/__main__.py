"""`make bench-growth`: the times of reading, listing and placing among few orders and among many, side by side.

Each size has a PostgreSQL of its own, set up as `make up` does. They take turns, a short time each, so that a machine
that is busy for a while is unjust to neither.
"""

import argparse
import asyncio
import contextlib
import os
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import uvloop

from bench import load, machine
from bench.growth import books
from bench.growth.books import Books
from bench.growth.filling import fill
from bench.latency import Latency
from bench.load import Outcome
from bench.report import milliseconds, table
from deploy.native import components
from deploy.native.runtime import Runtime
from tests.integration.postgres import Postgres

CHECKOUT = Path(__file__).resolve().parents[2]
REPORTS = CHECKOUT / "bench" / "reports"
FEW, MANY = 10_000, 1_000_000
CALLERS = 4
TURNS = 10
GOAL = 1.2
Times = dict[str, dict[int, Outcome]]

_SLOWEST = """
SELECT datname, left(regexp_replace(query, '\\s+', ' ', 'g'), 70), calls, mean_exec_time
FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid
WHERE calls >= 20 AND query !~* 'pg_stat|alembic' ORDER BY mean_exec_time DESC LIMIT 5
"""


def main(argv: Sequence[str]) -> None:
    """Follow the command line."""
    options = _parser().parse_args(argv)
    sizes = (min(FEW, options.many), options.many)
    runtime = Runtime.load(CHECKOUT, os.environ)
    with contextlib.ExitStack() as held:
        servers = {size: held.enter_context(_server(runtime, size)) for size in sizes}
        times = uvloop.run(_compare(servers, options.seconds))
        slowest = _slowest(servers[options.many])
    text = _report(times, sizes, slowest, machine.facts(runtime))
    print(text)
    REPORTS.mkdir(parents=True, exist_ok=True)
    (REPORTS / "growth.md").write_text(text, encoding="utf-8")


@contextlib.contextmanager
def _server(runtime: Runtime, size: int) -> Iterator[Postgres]:
    cache = components.cache_directory()
    postgres = Postgres(runtime, components.locate(cache=cache, versions=runtime.versions))
    try:
        postgres.install()
        postgres.migrate(*books.SERVICES)
        _count_statements(postgres)
        asyncio.run(_stock(postgres))
        begun = time.perf_counter()
        fill(postgres, size)
        print(f"{size:,} orders are there after {time.perf_counter() - begun:.0f} s", flush=True)
        yield postgres
    finally:
        postgres.remove()


def _count_statements(postgres: Postgres) -> None:
    """Have PostgreSQL measure each statement by itself."""
    with postgres.superuser() as connection:
        connection.execute("ALTER SYSTEM SET shared_preload_libraries = 'pg_stat_statements'")
    postgres.stop()
    postgres.start()
    with postgres.superuser() as connection:
        connection.execute("CREATE EXTENSION pg_stat_statements")


async def _stock(postgres: Postgres) -> None:
    async with books.opened(postgres) as opened:
        await opened.stock()


async def _compare(servers: Mapping[int, Postgres], seconds: float) -> Times:
    times: Times = defaultdict(lambda: defaultdict(Outcome))
    async with contextlib.AsyncExitStack() as stack:
        opened = {size: await stack.enter_async_context(books.opened(each)) for size, each in servers.items()}
        for measured in (False, True):
            for _ in range(TURNS if measured else 1):
                for size, each in opened.items():
                    for what, outcome in (await _turn(each, seconds / TURNS)).items():
                        if measured:
                            times[what][size] += outcome
    return times


async def _turn(measured: Books, seconds: float) -> dict[str, Outcome]:
    return {what: await load.closed(ask, CALLERS, seconds) for what, ask in measured.asks.items()}


def _slowest(postgres: Postgres) -> list[tuple[str, ...]]:
    with postgres.superuser() as connection:
        found = connection.execute(_SLOWEST).fetchall()
    return [(f"`{query}`", database, str(calls), f"{mean:.2f}") for database, query, calls, mean in found]


def _report(times: Times, sizes: tuple[int, int], slowest: Sequence[Sequence[str]], facts: Mapping[str, str]) -> str:
    few, many = sizes
    rows = []
    for what, outcomes in times.items():
        one, other = (Latency.of(outcomes[size].durations) for size in sizes)
        rows.append(
            (
                what,
                *(milliseconds(each) for each in (one.p50, other.p50, one.p95, other.p95)),
                f"{other.p95 / one.p95:.2f}",
                str(one.count + other.count),
            )
        )
    headings = ("", f"p50 of {few:,}", f"of {many:,}", f"p95 of {few:,}", f"of {many:,}", "p95, times", "calls")
    introduction = (
        f"Times in ms of what the services do to their databases, {CALLERS} callers. The goal: p95 grows no more than"
        f" {GOAL} times from {few:,} orders to {many:,}."
    )
    return "\n\n".join(
        (
            "# Growth",
            introduction,
            "\n".join(f"- {name}: {value}" for name, value in facts.items()),
            table(headings, rows),
            f"The slowest statements with {many:,} orders, mean ms inside PostgreSQL:",
            table(("statement", "database", "calls", "mean ms"), slowest),
            "",
        )
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m bench.growth", description=__doc__)
    parser.add_argument("--many", type=int, default=MANY, help="how many orders are many (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each measurement (default: %(default)g)")
    return parser


if __name__ == "__main__":
    main(sys.argv[1:])
