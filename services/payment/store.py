"""All SQL of the payment service. A change of a payment, its event and its ledger entry are one commit."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from services.common import events
from services.common.database import Connection, Database, Row, Values
from services.common.ids import new_id
from services.common.money import Money
from services.payment import domain
from services.payment.adapters.gateway import Approved, Declined
from services.payment.domain import (
    Kind,
    LedgerEntry,
    Operation,
    Payment,
    PaymentChanged,
    PaymentNotFound,
    State,
    UnderWay,
)
from services.payment.events import event_of

_ADD = f"""
WITH added AS (
    INSERT INTO payments (id, order_id, customer_id, state, currency_code, amount, gateway, version, create_time,
                          update_time)
    VALUES (CAST(%(id)s AS uuid), CAST(%(order_id)s AS uuid), CAST(%(customer_id)s AS uuid), %(state)s,
            %(currency_code)s, %(amount)s, %(gateway)s, %(version)s, %(create_time)s, %(update_time)s)
    ON CONFLICT (order_id) DO NOTHING RETURNING id
), event AS (
    {events.insert_from("added")}
)
SELECT count(*) FROM added
"""  # noqa: S608 - constants only
_SAVE = f"""
WITH saved AS (
    UPDATE payments SET state = %(state)s, authorized = %(authorized)s, captured = %(captured)s,
        refunded = %(refunded)s, gateway_reference = %(gateway_reference)s, failure_reason = %(failure_reason)s,
        version = %(version)s, update_time = %(update_time)s
    WHERE id = CAST(%(id)s AS uuid) AND version = %(version)s - 1
    RETURNING id
), entry AS (
    INSERT INTO ledger_entries (id, payment_id, kind, amount, create_time)
    SELECT CAST(%(entry_id)s AS uuid), id, CAST(%(kind)s AS text), CAST(%(moved)s AS bigint), %(update_time)s
    FROM saved WHERE CAST(%(kind)s AS text) IS NOT NULL
), event AS (
    {events.insert_from("saved")}
)
SELECT count(*) FROM saved
"""  # noqa: S608 - constants only
_PAYMENT = """
SELECT p.id::text, p.order_id::text, p.customer_id::text, p.state, p.currency_code, p.amount, p.authorized, p.captured,
       p.refunded, p.gateway, p.version, p.create_time, p.update_time, p.gateway_reference, p.failure_reason,
       coalesce(l.ids, '{}') AS ids, coalesce(l.kinds, '{}') AS kinds, coalesce(l.amounts, '{}') AS amounts,
       coalesce(l.times, '{}') AS times
FROM payments p CROSS JOIN LATERAL (
    SELECT array_agg(id::text ORDER BY id) AS ids, array_agg(kind ORDER BY id) AS kinds,
           array_agg(amount ORDER BY id) AS amounts, array_agg(create_time ORDER BY id) AS times
    FROM ledger_entries WHERE payment_id = p.id
) l
"""
_PAGE = """
WHERE (CAST(%(owner)s AS uuid) IS NULL OR p.customer_id = CAST(%(owner)s AS uuid))
  AND (CAST(%(order_id)s AS uuid) IS NULL OR p.order_id = CAST(%(order_id)s AS uuid))
  AND (CAST(%(after)s AS uuid) IS NULL OR p.id < CAST(%(after)s AS uuid))
ORDER BY p.id DESC LIMIT %(limit)s
"""
_OPERATION = """
SELECT o.id::text, o.payment_id::text, o.kind, o.amount, o.request_id, p.currency_code, o.done
FROM operations o JOIN payments p ON p.id = o.payment_id
"""
_OPEN_AMOUNTS = """
SELECT coalesce(sum(amount) FILTER (WHERE kind = 'CAPTURE'), 0) AS captures,
       coalesce(sum(amount) FILTER (WHERE kind = 'REFUND'), 0) AS refunds,
       count(*) FILTER (WHERE kind = 'VOID') > 0 AS void
FROM operations WHERE payment_id = CAST(%(id)s AS uuid) AND NOT done
"""


class PaymentStore:
    """Payments, their ledger, and the operations under way."""

    def __init__(self, database: Database) -> None:
        """`database`: of the payment service."""
        self._database = database

    async def add(self, payment: Payment) -> Payment | None:
        """Commit a new payment and its event. The order's payment, and nothing committed, when it has one."""
        parameters = {
            **_columns(payment),
            **events.parameters(event_of(payment, None)),
            "order_id": payment.order_id,
            "customer_id": payment.customer_id,
            "currency_code": payment.amount.currency_code,
            "amount": payment.amount.minor_units,
            "gateway": payment.gateway,
            "create_time": payment.create_time,
        }
        (added,) = await self._database.row(_ADD, parameters)
        if added:
            return None
        return await self.of_order(payment.order_id)

    async def save(self, payment: Payment, *, entry: tuple[Kind, Money] | None) -> Payment:
        """Commit the next version, its event and ledger entry, and return it with that. Raises PaymentChanged."""
        async with self._database.autocommit() as connection:
            return await _save(connection, payment, entry)

    async def get(self, payment_id: str) -> Payment:
        """Read a payment. Raises PaymentNotFound."""
        async with self._database.autocommit() as connection:
            return await _get(connection, payment_id)

    async def of_order(self, order_id: str) -> Payment | None:
        """Read the payment of an order."""
        async with self._database.autocommit() as connection:
            found = await _payments(connection, "WHERE p.order_id = CAST(%(order_id)s AS uuid)", {"order_id": order_id})
        return found[0] if found else None

    async def page(self, filters: Mapping[str, str | None], after: str | None, limit: int) -> list[Payment]:
        """Read payments, newest first, that pass the filters owner and order_id, where given."""
        async with self._database.autocommit() as connection:
            return await _payments(connection, _PAGE, {**filters, "after": after, "limit": limit})

    async def open_operation(
        self, payment_id: str, kind: Kind, request_id: str | None, decide: Callable[[Payment], Money]
    ) -> Operation:
        """Commit an operation of the amount that `decide` allows; or find the one of the same request id, open or done.

        `decide` is given the payment under its lock, beside what the open operations may take from it.
        """
        async with self._database.transaction() as connection:
            payment = await _locked(connection, payment_id)
            if request_id is not None:
                found = await _operations(
                    connection,
                    "WHERE o.payment_id = CAST(%(id)s AS uuid) AND o.kind = %(kind)s AND o.request_id = %(request_id)s",
                    {"id": payment_id, "kind": kind, "request_id": request_id},
                )
                if found:
                    return found[0]
            amount = decide(domain.beside(payment, await _under_way(connection, payment), kind))
            operation = Operation(new_id(), payment_id, kind, amount, request_id)
            await _add_operation(connection, operation)
            return operation

    async def close_operation(self, operation: Operation, now: datetime) -> Payment:
        """Commit the operation's effect on the payment, with event and ledger entry, once."""
        async with self._database.transaction() as connection:
            payment = await _locked(connection, operation.payment_id)
            closed = await connection.row(
                "UPDATE operations SET done = true WHERE id = CAST(%(id)s AS uuid) AND NOT done RETURNING id",
                {"id": operation.id},
            )
            if closed is not None and (effect := domain.effect(operation, payment, now)):
                return await _save(connection, *effect)
            return payment

    async def unsettled(self, older_than: timedelta, limit: int) -> list[str]:
        """List payments that are PENDING for longer than that."""
        rows = await self._database.rows(
            "SELECT id::text FROM payments WHERE state = 'PENDING' AND create_time < now() - %(older_than)s "
            "ORDER BY create_time LIMIT %(limit)s",
            {"older_than": older_than, "limit": limit},
        )
        return [row.id for row in rows]

    async def open_operations(self, older_than: timedelta, limit: int) -> list[Operation]:
        """List operations that are open for longer than that."""
        async with self._database.autocommit() as connection:
            return await _operations(
                connection,
                "WHERE NOT o.done AND o.create_time < now() - %(older_than)s ORDER BY o.create_time LIMIT %(limit)s",
                {"older_than": older_than, "limit": limit},
            )


async def _save(connection: Connection, payment: Payment, entry: tuple[Kind, Money] | None) -> Payment:
    booked = LedgerEntry(new_id(), *entry, payment.update_time) if entry else None
    told = replace(payment, ledger=(*payment.ledger, booked)) if booked else payment
    parameters = {
        **_columns(payment),
        **events.parameters(event_of(told, entry)),
        "authorized": payment.authorized.minor_units,
        "captured": payment.captured.minor_units,
        "refunded": payment.refunded.minor_units,
        "gateway_reference": payment.gateway_reference,
        "failure_reason": payment.failure_reason,
        "entry_id": booked.id if booked else None,
        "kind": booked.kind if booked else None,
        "moved": booked.amount.minor_units if booked else None,
    }
    (saved,) = await connection.row(_SAVE, parameters)
    if not saved:
        raise PaymentChanged(payment.id)
    return told


async def _get(connection: Connection, payment_id: str) -> Payment:
    found = await _payments(connection, "WHERE p.id = CAST(%(id)s AS uuid)", {"id": payment_id})
    if not found:
        raise PaymentNotFound(payment_id)
    return found[0]


async def _locked(connection: Connection, payment_id: str) -> Payment:
    await connection.execute("SELECT id FROM payments WHERE id = CAST(%(id)s AS uuid) FOR UPDATE", {"id": payment_id})
    return await _get(connection, payment_id)


async def _payments(connection: Connection, where: str, values: Values) -> list[Payment]:
    return [_payment(row) for row in await connection.rows(_PAYMENT + where, values)]


async def _operations(connection: Connection, where: str, values: Values) -> list[Operation]:
    rows = await connection.rows(_OPERATION + where, values)
    return [
        Operation(row.id, row.payment_id, Kind(row.kind), Money(row.currency_code, row.amount), row.request_id)
        for row in rows
    ]


async def _under_way(connection: Connection, payment: Payment) -> UnderWay:
    row = await connection.row(_OPEN_AMOUNTS, {"id": payment.id})
    currency_code = payment.amount.currency_code
    return UnderWay(Money(currency_code, int(row.captures)), Money(currency_code, int(row.refunds)), row.void)


async def _add_operation(connection: Connection, operation: Operation) -> None:
    await connection.execute(
        "INSERT INTO operations (id, payment_id, kind, amount, request_id) "
        "VALUES (CAST(%(id)s AS uuid), CAST(%(payment_id)s AS uuid), %(kind)s, %(amount)s, %(request_id)s)",
        {
            "id": operation.id,
            "payment_id": operation.payment_id,
            "kind": operation.kind,
            "amount": operation.amount.minor_units,
            "request_id": operation.request_id,
        },
    )


def _columns(payment: Payment) -> dict[str, Any]:
    return {
        "id": payment.id,
        "state": payment.state,
        "version": payment.version,
        "update_time": payment.update_time,
    }


def _payment(row: Row) -> Payment:
    def money(minor_units: int) -> Money:
        return Money(row.currency_code, minor_units)

    entries = zip(row.ids, row.kinds, row.amounts, row.times, strict=True)
    return Payment(
        id=row.id,
        order_id=row.order_id,
        customer_id=row.customer_id,
        state=State(row.state),
        amount=money(row.amount),
        authorized=money(row.authorized),
        captured=money(row.captured),
        refunded=money(row.refunded),
        gateway=row.gateway,
        version=row.version,
        create_time=row.create_time,
        update_time=row.update_time,
        gateway_reference=row.gateway_reference,
        failure_reason=row.failure_reason,
        ledger=tuple(LedgerEntry(id_, Kind(kind), money(amount), time) for id_, kind, amount, time in entries),
    )


# An update that changes nothing, so that the account that is there already is returned too.
_CHARGE = """
INSERT INTO sandbox_charges (key, reference, amount, currency_code, declined)
VALUES (%(key)s, %(reference)s, %(amount)s, %(currency_code)s, %(declined)s)
ON CONFLICT (key) DO UPDATE SET key = excluded.key RETURNING reference, declined, closed
"""


class SandboxAccounts:
    """The sandbox gateway's memory. It stands for somebody else's system and never shares a transaction with ours."""

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
            "SELECT reference, declined, closed FROM sandbox_charges WHERE key = %(key)s", {"key": key}
        )
        return None if row is None else _decision(row)

    async def close(self, key: str) -> None:
        """Hold nothing for the key, also when no account is open for it yet."""
        await self._database.run(
            "INSERT INTO sandbox_charges (key, reference, amount, currency_code, closed) "
            "VALUES (%(key)s, '', 0, 'XXX', true) ON CONFLICT (key) DO UPDATE SET closed = true",
            {"key": key},
        )

    async def move(self, key: str, reference: str, kind: str, amount: Money) -> None:
        """Note a capture or refund, once for each key."""
        await self._database.run(
            "INSERT INTO sandbox_movements (key, reference, kind, amount) "
            "VALUES (%(key)s, %(reference)s, %(kind)s, %(amount)s) ON CONFLICT DO NOTHING",
            {"key": key, "reference": reference, "kind": kind, "amount": amount.minor_units},
        )


def _decision(row: Row) -> Approved | Declined:
    if row.closed:
        return Declined("PAYMENT_CANCELLED")
    return Declined(row.declined) if row.declined else Approved(row.reference)
