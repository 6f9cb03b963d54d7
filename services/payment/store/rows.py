"""Rows of payments, ledger and operations as the domain's values, and the statements that read them."""

from services.common.database import Connection, Row, Values
from services.common.money import Money
from services.payment.domain.errors import PaymentNotFound
from services.payment.domain.operation import Open, Operation
from services.payment.domain.payment import Kind, LedgerEntry, Payment, State

PAYMENT = """
SELECT p.id::text, p.order_id::text, p.customer_id::text, p.state, p.currency_code, p.amount, p.authorized, p.captured,
       p.refunded, p.voided, p.charged_back, p.gateway, p.version, p.create_time, p.update_time, p.expire_time,
       p.gateway_reference, p.failure_reason, p.ending, coalesce(l.ids, '{}') AS ids, l.kinds, l.amounts, l.times,
       l.gateway_references, l.operations
FROM payments p CROSS JOIN LATERAL (
    SELECT array_agg(id::text ORDER BY id) AS ids, array_agg(kind ORDER BY id) AS kinds,
           array_agg(amount ORDER BY id) AS amounts, array_agg(create_time ORDER BY id) AS times,
           array_agg(gateway_reference ORDER BY id) AS gateway_references,
           array_agg(operation_id::text ORDER BY id) AS operations
    FROM ledger_entries WHERE payment_id = p.id
) l
"""
_OPERATION = """
SELECT o.id::text, o.payment_id::text, o.kind, o.amount, o.request_id, o.create_time, o.final, o.done, o.refusal,
       p.currency_code
FROM operations o JOIN payments p ON p.id = o.payment_id
"""
_OPEN = """
SELECT coalesce(sum(amount) FILTER (WHERE kind = 'CAPTURE'), 0) AS captures,
       coalesce(sum(amount) FILTER (WHERE kind = 'REFUND'), 0) AS refunds,
       count(*) FILTER (WHERE kind IN ('VOID', 'EXPIRY') OR final) > 0 AS ending
FROM operations WHERE payment_id = CAST(%(id)s AS uuid) AND NOT done
"""


async def get(connection: Connection, payment_id: str) -> Payment:
    """Read a payment. Raises PaymentNotFound."""
    found = await payments(connection, "WHERE p.id = CAST(%(id)s AS uuid)", {"id": payment_id})
    if not found:
        raise PaymentNotFound(payment_id)
    return found[0]


async def locked(connection: Connection, payment_id: str) -> Payment:
    """Read a payment that nobody else changes until the transaction ends."""
    await connection.run("SELECT id FROM payments WHERE id = CAST(%(id)s AS uuid) FOR UPDATE", {"id": payment_id})
    return await get(connection, payment_id)


async def payments(connection: Connection, where: str, values: Values) -> list[Payment]:
    """Read payments with their ledgers."""
    return [_payment(row) for row in await connection.rows(PAYMENT + where, values)]


async def operations(connection: Connection, where: str, values: Values) -> list[Operation]:
    """Read operations."""
    return [
        Operation(
            row.id, row.payment_id, Kind(row.kind), Money(row.currency_code, row.amount), row.request_id,
            row.create_time, row.final, row.done, row.refusal,
        )
        for row in await connection.rows(_OPERATION + where, values)
    ]  # fmt: skip


async def under_way(connection: Connection, payment: Payment) -> Open:
    """Add up what is open."""
    row = await connection.row(_OPEN, {"id": payment.id})
    code = payment.amount.currency_code
    return Open(Money(code, int(row.captures)), Money(code, int(row.refunds)), row.ending)


def _payment(row: Row) -> Payment:
    def money(minor_units: int) -> Money:
        return Money(row.currency_code, minor_units)

    return Payment(
        id=row.id,
        order_id=row.order_id,
        customer_id=row.customer_id,
        state=State(row.state),
        amount=money(row.amount),
        authorized=money(row.authorized),
        captured=money(row.captured),
        refunded=money(row.refunded),
        voided=money(row.voided),
        charged_back=money(row.charged_back),
        gateway=row.gateway,
        version=row.version,
        create_time=row.create_time,
        update_time=row.update_time,
        expire_time=row.expire_time,
        gateway_reference=row.gateway_reference,
        failure_reason=row.failure_reason,
        ending=State(row.ending) if row.ending else None,
        ledger=_ledger(row),
    )


def _ledger(row: Row) -> tuple[LedgerEntry, ...]:
    if not row.ids:
        return ()
    columns = (row.ids, row.kinds, row.amounts, row.times, row.gateway_references, row.operations)
    return tuple(
        LedgerEntry(id_, Kind(kind), Money(row.currency_code, amount), time, reference, operation)
        for id_, kind, amount, time, reference, operation in zip(*columns, strict=True)
    )
