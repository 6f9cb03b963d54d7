"""`make reconcile`: compares a settlement file with the ledger, lists open differences, notes how one is explained.

    make reconcile f=settlement.csv g=stripe from=2026-05-01 to=2026-06-01
    make reconcile do=list
    make reconcile do=resolve id=… note="paid out in June"

It works on the payment database itself, so that a file may be longer than what the edge takes.
"""

# ruff: noqa: T201 - a command that speaks to the terminal

import argparse
import asyncio
import getpass
import sys
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from mesh import context, errors
from services.common.clock import now
from services.common.database import Database
from services.payment.gateways import adapters
from services.payment.reconciliation import Period, Reconciler
from services.payment.settings import PaymentSettings
from services.payment.store import SandboxAccounts, SettlementStore
from services.payment.store.settlement import Difference

PART_BYTES = 64 * 1024
PAGE = 500
OPEN_ONLY = {"reconciliation_id": None, "show_resolved": "false"}


async def compare(reconciler: Reconciler, store: SettlementStore, arguments: argparse.Namespace) -> int:
    """Compare, and print what was found. Returns 1 when anything differs."""
    period = Period(arguments.start, arguments.end)
    done = await reconciler.settle(arguments.gateway, period, _parts(arguments.file))
    print(f"{done.settled} movements of {done.gateway}: {done.matched} agree, {done.differences} new differences")
    found = await store.differences({**OPEN_ONLY, "reconciliation_id": done.id}, None, PAGE)
    _print(found)
    return 1 if done.differences else 0


async def show(_: Reconciler, store: SettlementStore, __: argparse.Namespace) -> int:
    """Print every difference that is open."""
    after = None
    while page := await store.differences(OPEN_ONLY, after, PAGE):
        _print(page)
        after = page[-1].id
    return 0


async def resolve(reconciler: Reconciler, _: SettlementStore, arguments: argparse.Namespace) -> int:
    """Note an explanation."""
    resolved = await reconciler.resolve(arguments.id, arguments.note)
    print(f"{resolved.id} is explained: {resolved.note}")
    return 0


COMMANDS = {"compare": compare, "list": show, "resolve": resolve}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. Returns the exit code."""
    arguments = _parser().parse_args(argv)
    needed = {"compare": ("file", "gateway", "start", "end"), "list": (), "resolve": ("id", "note")}
    if missing := [name for name in needed[arguments.command] if not getattr(arguments, name)]:
        print(f"say also: {', '.join(missing)}", file=sys.stderr)
        return 2
    try:
        return asyncio.run(_run(arguments))
    except (errors.Error, OSError) as fault:
        print(fault, file=sys.stderr)
        return 2


async def _run(arguments: argparse.Namespace) -> int:
    settings = PaymentSettings()
    with context.background(actor=f"operator:{getpass.getuser()}"):
        async with Database.open(settings) as database, adapters(settings, SandboxAccounts(database)) as adapted:
            store = SettlementStore(database)
            reconciler = Reconciler(store, adapted.books, now)
            return await COMMANDS[arguments.command](reconciler, store, arguments)


async def _parts(path: Path) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        while part := file.read(PART_BYTES):
            yield part


def _print(found: Sequence[Difference]) -> None:
    for each in found:
        ours, theirs = each.ledger_amount or "nothing", each.settled_amount or "nothing"
        payment = f" payment {each.payment_id}" if each.payment_id else ""
        print(f"{each.id} {each.kind} {each.movement} {each.reference}: ledger {ours}, settled {theirs}{payment}")


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="make reconcile", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("command", choices=tuple(COMMANDS))
    parser.add_argument("--file", type=Path)
    parser.add_argument("--gateway")
    parser.add_argument("--from", dest="start", type=_moment, help="the period begins here, in UTC")
    parser.add_argument("--to", dest="end", type=_moment, help="and ends before this")
    parser.add_argument("--id")
    parser.add_argument("--note")
    return parser


if __name__ == "__main__":
    sys.exit(main())
