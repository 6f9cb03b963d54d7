"""The sandbox gateway's memory. It stands for somebody else's system and never shares a transaction with ours."""

from collections.abc import AsyncIterator
from datetime import datetime

from services.common.database import Database, Row
from services.common.ids import new_id
from services.common.money import NO_CURRENCY, Money
from services.payment.adapters.gateway import Approved, Declined, Settled
from services.payment.domain.payment import Kind

# An update that changes nothing, so that the account that is there already is returned too.
_CHARGE = """
INSERT INTO sandbox_charges (key, reference, amount, currency_code, declined)
VALUES (%(key)s, %(reference)s, %(amount)s, %(currency_code)s, %(declined)s)
ON CONFLICT (key) DO UPDATE SET key = excluded.key RETURNING reference, declined, closed, create_time
"""
_MOVEMENTS = """
SELECT m.key, m.kind, m.reference, m.amount, c.currency_code
FROM sandbox_movements m JOIN sandbox_charges c ON c.reference = m.reference
WHERE m.create_time >= %(start)s AND m.create_time < %(end)s
"""


class SandboxAccounts:
    """Accounts by the key of the payment, movements by the key of the operation."""

    def __init__(self, database: Database) -> None:
        """`database`: of the payment service."""
        self._database = database

    async def charge(self, key: str, amount: Money, declined: str | None) -> Approved | Declined:
        """Open an account for the key unless there is one, and return what was decided for it first."""
        row = await self._database.row(
            _CHARGE,
            {
                "key": key,
                "reference": f"sandbox_{new_id()}",
                "amount": amount.minor_units,
                "currency_code": amount.currency_code,
                "declined": declined,
            },
        )
        return _decision(row)

    async def find(self, key: str) -> Approved | Declined | None:
        """Return what was decided for the key, if anything was."""
        row = await self._database.row(
            "SELECT reference, declined, closed, create_time FROM sandbox_charges WHERE key = %(key)s", {"key": key}
        )
        return None if row is None else _decision(row)

    async def close(self, key: str) -> None:
        """Hold nothing for the key, also when no account is open for it yet."""
        await self._database.run(
            "INSERT INTO sandbox_charges (key, reference, amount, currency_code, closed) "
            "VALUES (%(key)s, '', 0, %(none)s, true) ON CONFLICT (key) DO UPDATE SET closed = true",
            {"key": key, "none": NO_CURRENCY},
        )

    async def move(self, key: str, reference: str, kind: str, amount: Money) -> None:
        """Note a capture or refund, once for each key."""
        await self._database.run(
            "INSERT INTO sandbox_movements (key, reference, kind, amount) "
            "VALUES (%(key)s, %(reference)s, %(kind)s, %(amount)s) ON CONFLICT DO NOTHING",
            {"key": key, "reference": reference, "kind": kind, "amount": amount.minor_units},
        )

    async def movements(self, start: datetime, end: datetime) -> AsyncIterator[Settled]:
        """Give the captures and refunds of a period."""
        for row in await self._database.rows(_MOVEMENTS, {"start": start, "end": end}):
            yield Settled(row.key, Kind(row.kind), row.key, row.reference, Money(row.currency_code, row.amount))


def _decision(row: Row) -> Approved | Declined:
    if row.closed:
        return Declined("PAYMENT_CANCELLED")
    return Declined(row.declined) if row.declined else Approved(row.reference, row.create_time)
