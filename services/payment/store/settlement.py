"""Comparing a gateway's books with the ledger, in one transaction: what is kept is a whole comparison or nothing."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from services.common.database import Connection, Database, Row
from services.common.ids import new_id
from services.common.money import Money
from services.payment.adapters.gateway import Settled
from services.payment.domain.payment import Kind

LOOK_BACK = timedelta(days=60)
"""How long after a movement its settlement may come."""

_LOCK = "SELECT pg_try_advisory_xact_lock(hashtextextended(%(name)s, 0))"
_ADD = """
INSERT INTO settlement_rows (reconciliation_id, id, kind, reference, amount, currency_code)
VALUES (CAST(%(reconciliation_id)s AS uuid), %(id)s, %(kind)s, %(reference)s, %(amount)s, %(currency_code)s)
"""
_RUN = """
INSERT INTO reconciliations (id, gateway, source, start_time, end_time)
VALUES (CAST(%(id)s AS uuid), %(gateway)s, %(source)s, %(start)s, %(end)s)
"""
# A gateway may split a movement into several rows, so that amounts are added up by reference; the same row twice is
# counted once. A movement that was reversed is nobody's money. What is open already isn't reported again.
_COMPARE = """
WITH numbered AS (
    SELECT *, row_number() OVER (PARTITION BY id ORDER BY position) AS nth FROM settlement_rows
    WHERE reconciliation_id = CAST(%(id)s AS uuid)
), theirs AS (
    SELECT kind, reference, currency_code, sum(amount)::bigint AS amount FROM numbered WHERE nth = 1
    GROUP BY kind, reference, currency_code
), ours AS (
    SELECT e.kind, coalesce(nullif(e.gateway_reference, ''), p.gateway_reference) AS reference,
           p.currency_code, sum(e.amount)::bigint AS amount, min(p.id::text)::uuid AS payment_id,
           max(e.create_time) AS time
    FROM ledger_entries e JOIN payments p ON p.id = e.payment_id
    WHERE p.gateway = %(gateway)s AND e.kind IN ('CAPTURE', 'REFUND', 'CHARGEBACK', 'CHARGEBACK_REVERSAL')
      AND e.create_time >= %(start)s - CAST(%(look_back)s AS interval) AND e.create_time < %(end)s + interval '1 day'
      AND NOT EXISTS (SELECT FROM ledger_entries r WHERE r.operation_id = e.operation_id
                      AND r.kind IN ('CAPTURE_REVERSAL', 'REFUND_REVERSAL'))
    GROUP BY 1, 2, 3
), compared AS (
    SELECT CASE WHEN o.reference IS NULL THEN 'MISSING_IN_LEDGER'
                WHEN t.reference IS NULL THEN 'MISSING_IN_SETTLEMENT'
                WHEN o.currency_code <> t.currency_code THEN 'CURRENCY_DIFFERS'
                WHEN o.amount <> t.amount THEN 'AMOUNT_DIFFERS' END AS difference,
           coalesce(o.kind, t.kind) AS movement, coalesce(o.reference, t.reference) AS reference, o.payment_id,
           o.amount AS our_amount, o.currency_code AS our_currency, t.amount AS their_amount,
           t.currency_code AS their_currency
    FROM ours o FULL JOIN theirs t ON t.kind = o.kind AND t.reference = o.reference
    WHERE t.reference IS NOT NULL OR (o.time >= %(start)s AND o.time < %(end)s)
    UNION ALL
    SELECT 'DUPLICATE', n.kind, n.reference, o.payment_id, o.amount, o.currency_code, n.amount, n.currency_code
    FROM numbered n LEFT JOIN ours o ON o.kind = n.kind AND o.reference = n.reference WHERE n.nth > 1
), found AS (
    INSERT INTO settlement_differences (reconciliation_id, kind, payment_id, movement, gateway_reference, ledger_amount,
        ledger_currency_code, settled_amount, settled_currency_code)
    SELECT CAST(%(id)s AS uuid), c.difference, c.payment_id, c.movement, c.reference, c.our_amount, c.our_currency,
           c.their_amount, c.their_currency
    FROM compared c WHERE c.difference IS NOT NULL AND NOT EXISTS (
        SELECT FROM settlement_differences d JOIN reconciliations r ON r.id = d.reconciliation_id
        WHERE d.resolve_time IS NULL AND r.gateway = %(gateway)s AND d.kind = c.difference
          AND d.movement = c.movement AND d.gateway_reference = c.reference)
    RETURNING 1
)
UPDATE reconciliations SET settled_count = (SELECT count(*) FROM numbered),
    matched_count = (SELECT count(*) FROM compared WHERE difference IS NULL),
    difference_count = (SELECT count(*) FROM found)
WHERE id = CAST(%(id)s AS uuid)
"""
_RUN_COLUMNS = """
id::text, gateway, source, start_time, end_time, settled_count, matched_count, difference_count, create_time
"""
_RUNS = f"""
SELECT {_RUN_COLUMNS} FROM reconciliations
WHERE (CAST(%(gateway)s AS text) IS NULL OR gateway = %(gateway)s)
  AND (CAST(%(id)s AS uuid) IS NULL OR id = CAST(%(id)s AS uuid))
  AND (CAST(%(after)s AS uuid) IS NULL OR id < CAST(%(after)s AS uuid))
ORDER BY id DESC LIMIT %(limit)s
"""  # noqa: S608 - constants only
_DIFFERENCE_COLUMNS = """
id::text, reconciliation_id::text, kind, payment_id::text, movement, gateway_reference, ledger_amount,
ledger_currency_code, settled_amount, settled_currency_code, note, resolved_by, resolve_time
"""
_DIFFERENCES = f"""
SELECT {_DIFFERENCE_COLUMNS} FROM settlement_differences
WHERE (CAST(%(reconciliation_id)s AS uuid) IS NULL OR reconciliation_id = CAST(%(reconciliation_id)s AS uuid))
  AND (%(show_resolved)s = 'true' OR resolve_time IS NULL)
  AND (CAST(%(after)s AS uuid) IS NULL OR id > CAST(%(after)s AS uuid))
ORDER BY id LIMIT %(limit)s
"""  # noqa: S608 - constants only
_RESOLVE = f"""
UPDATE settlement_differences SET note = %(note)s, resolved_by = %(by)s, resolve_time = now()
WHERE id = CAST(%(id)s AS uuid) AND resolve_time IS NULL RETURNING {_DIFFERENCE_COLUMNS}
"""  # noqa: S608 - constants only


class Source(StrEnum):
    """Where the gateway's side came from; the names are those of the contract."""

    FILE = "FILE"
    GATEWAY = "GATEWAY"


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """One comparison, and how much was found."""

    id: str
    gateway: str
    source: Source
    start: datetime
    end: datetime
    settled: int
    matched: int
    differences: int
    create_time: datetime


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that only one side has, or both not alike; `kind` as in the contract."""

    id: str
    reconciliation_id: str
    kind: str
    payment_id: str | None
    movement: Kind
    reference: str
    ledger_amount: Money | None
    settled_amount: Money | None
    note: str
    resolved_by: str
    resolve_time: datetime | None


class Comparison:
    """A comparison under way."""

    def __init__(self, connection: Connection) -> None:
        """`connection` is in a transaction."""
        self._connection = connection
        self._id = new_id()

    async def last_end(self, gateway: str) -> datetime | None:
        """How far the schedule has come with the gateway."""
        row = await self._connection.row(
            "SELECT max(end_time) FROM reconciliations WHERE gateway = %(gateway)s AND source = 'GATEWAY'",
            {"gateway": gateway},
        )
        found: datetime | None = row[0]
        return found

    async def add(self, settled: list[Settled]) -> None:
        """Add rows of the gateway's books."""
        async with self._connection.cursor() as cursor:
            await cursor.executemany(
                _ADD,
                [
                    {
                        "reconciliation_id": self._id,
                        "id": each.id,
                        "kind": each.kind,
                        "reference": each.reference or each.payment_reference,
                        "amount": each.amount.minor_units,
                        "currency_code": each.amount.currency_code,
                    }
                    for each in settled
                ],
            )

    async def finish(self, gateway: str, source: Source, start: datetime, end: datetime) -> Reconciliation:
        """Compare with the ledger of the period, and keep every difference."""
        values = {"id": self._id, "gateway": gateway, "source": source, "start": start, "end": end}
        await self._connection.execute(_RUN, values)
        await self._connection.execute(_COMPARE, {**values, "look_back": LOOK_BACK})
        await self._connection.execute(
            "DELETE FROM settlement_rows WHERE reconciliation_id = CAST(%(id)s AS uuid)", {"id": self._id}
        )
        found = await self._connection.row(_RUNS, {"gateway": None, "id": self._id, "after": None, "limit": 1})
        return _reconciliation(found)


class SettlementStore:
    """Reconciliations and the differences they found."""

    def __init__(self, database: Database) -> None:
        """`database`: of the payment service."""
        self._database = database

    @asynccontextmanager
    async def comparison(self, lock: str | None = None) -> AsyncIterator[Comparison | None]:
        """Begin one; None while another process holds the same `lock`."""
        async with self._database.transaction() as connection:
            if lock and not (await connection.row(_LOCK, {"name": lock}))[0]:
                yield None
                return
            yield Comparison(connection)

    async def page(self, gateway: str | None, after: str | None, limit: int) -> list[Reconciliation]:
        """Read reconciliations, newest first."""
        values = {"gateway": gateway, "id": None, "after": after, "limit": limit}
        return [_reconciliation(row) for row in await self._database.rows(_RUNS, values)]

    async def differences(self, filters: Mapping[str, str | None], after: str | None, limit: int) -> list[Difference]:
        """Read differences, oldest first, that pass the filters reconciliation_id and show_resolved."""
        rows = await self._database.rows(_DIFFERENCES, {**filters, "after": after, "limit": limit})
        return [_difference(row) for row in rows]

    async def resolve(self, difference_id: str, note: str, by: str) -> Difference | None:
        """Note how an open difference is explained; None when it is not open."""
        row = await self._database.row(_RESOLVE, {"id": difference_id, "note": note, "by": by})
        return None if row is None else _difference(row)

    async def difference(self, difference_id: str) -> Difference | None:
        """Read one."""
        row = await self._database.row(
            f"SELECT {_DIFFERENCE_COLUMNS} FROM settlement_differences WHERE id = CAST(%(id)s AS uuid)",  # noqa: S608
            {"id": difference_id},
        )
        return None if row is None else _difference(row)

    async def open_differences(self) -> int:
        """Count what nobody has explained yet."""
        row = await self._database.row("SELECT count(*) FROM settlement_differences WHERE resolve_time IS NULL")
        return int(row[0])


def _reconciliation(row: Row) -> Reconciliation:
    return Reconciliation(*row._replace(source=Source(row.source)))


def _difference(row: Row) -> Difference:
    return Difference(
        row.id, row.reconciliation_id, row.kind, row.payment_id, Kind(row.movement), row.gateway_reference,
        _money(row.ledger_currency_code, row.ledger_amount), _money(row.settled_currency_code, row.settled_amount),
        row.note, row.resolved_by, row.resolve_time,
    )  # fmt: skip


def _money(currency_code: str | None, minor_units: int | None) -> Money | None:
    return None if currency_code is None or minor_units is None else Money(currency_code, minor_units)
