"""Payments, their ledger and the operations under way. A change, its event and its ledger entries are one commit."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from services.common import events
from services.common.database import Connection, Database, Row
from services.common.filters import where
from services.common.ids import new_id
from services.common.money import Money
from services.payment.adapters.gateway import Done, Refused
from services.payment.domain import operation as operations
from services.payment.domain.errors import PaymentChanged
from services.payment.domain.operation import Open, Operation
from services.payment.domain.payment import Change, Dispute, DisputeState, Kind, LedgerEntry, Payment, State
from services.payment.events import event_of
from services.payment.store import rows

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
# A payment that is being ended is never saved as AUTHORIZED: `ending` is read anew under the row's lock.
_SAVE = f"""
WITH saved AS (
    UPDATE payments SET state = %(state)s, authorized = %(authorized)s, captured = %(captured)s,
        refunded = %(refunded)s, voided = %(voided)s, charged_back = %(charged_back)s, expire_time = %(expire_time)s,
        gateway_reference = %(gateway_reference)s, failure_reason = %(failure_reason)s,
        version = %(version)s, update_time = %(update_time)s
    WHERE id = CAST(%(id)s AS uuid) AND version = %(version)s - 1
      AND (ending IS NULL OR CAST(%(state)s AS text) <> 'AUTHORIZED')
    RETURNING id
), entry AS (
    INSERT INTO ledger_entries (id, payment_id, kind, amount, create_time, gateway_reference, operation_id)
    SELECT CAST(%(entry_id)s AS uuid), id, CAST(%(kind)s AS text), CAST(%(moved)s AS bigint), %(update_time)s,
           CAST(%(reference)s AS text), CAST(%(operation_id)s AS uuid)
    FROM saved WHERE CAST(%(kind)s AS text) IS NOT NULL
), event AS (
    {events.insert_from("saved")}
)
SELECT count(*) FROM saved
"""  # noqa: S608 - constants only
_ENTRY = """
INSERT INTO ledger_entries (id, payment_id, kind, amount, create_time, gateway_reference, operation_id)
VALUES (CAST(%(entry_id)s AS uuid), CAST(%(id)s AS uuid), %(kind)s, %(moved)s, %(update_time)s, %(reference)s,
        CAST(%(operation_id)s AS uuid))
"""
_DISPUTE = """
INSERT INTO disputes (id, payment_id, gateway_reference, state, amount, reason, create_time, update_time)
VALUES (CAST(%(id)s AS uuid), CAST(%(payment_id)s AS uuid), %(reference)s, %(state)s, %(amount)s, %(reason)s,
        %(create_time)s, %(update_time)s)
ON CONFLICT (id) DO UPDATE
SET state = excluded.state, amount = excluded.amount, reason = excluded.reason, update_time = excluded.update_time
"""
_DISPUTES = """
SELECT d.id::text, d.payment_id::text, d.gateway_reference, d.state, d.amount, p.currency_code, d.reason,
       d.create_time, d.update_time
FROM disputes d JOIN payments p ON p.id = d.payment_id
WHERE (CAST(%(payment_id)s AS uuid) IS NULL OR d.payment_id = CAST(%(payment_id)s AS uuid))
  AND (CAST(%(reference)s AS text) IS NULL OR d.gateway_reference = %(reference)s)
  AND (CAST(%(after)s AS uuid) IS NULL OR d.id < CAST(%(after)s AS uuid))
ORDER BY d.id DESC LIMIT %(limit)s
"""
_PAGE = {
    "owner": "p.customer_id = CAST(%(owner)s AS uuid)",
    "order_id": "p.order_id = CAST(%(order_id)s AS uuid)",
    "after": "p.id < CAST(%(after)s AS uuid)",
}
_NEWEST = "ORDER BY p.id DESC LIMIT %(limit)s"
_ADD_OPERATION = """
INSERT INTO operations (id, payment_id, kind, amount, request_id, final)
VALUES (CAST(%(id)s AS uuid), CAST(%(payment_id)s AS uuid), %(kind)s, %(amount)s, %(request_id)s, %(final)s)
RETURNING create_time
"""
# A refused release may be asked for again, by the request id that all of them share.
_CLOSE_OPERATION = """
UPDATE operations SET done = true, refusal = %(refusal)s,
    request_id = CASE WHEN %(refusal)s <> '' AND kind IN ('VOID', 'EXPIRY') THEN NULL ELSE request_id END
WHERE id = CAST(%(id)s AS uuid) AND NOT done RETURNING id
"""

Decide = Callable[[Payment, Open], tuple[Money, bool]]
"""How much an operation moves, and whether it ends the hold, given what is under way. Raises what forbids it."""


class PaymentStore:
    """Payments as the cashier needs them."""

    def __init__(self, database: Database) -> None:
        """`database`: of the payment service."""
        self._database = database

    async def add(self, payment: Payment) -> Payment | None:
        """Commit a new payment and its event. The order's payment, and nothing committed, when it has one."""
        parameters = {
            **_columns(payment),
            **events.parameters(event_of(Change(payment))),
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

    async def save(self, change: Change) -> Payment:
        """Commit the next version, its event and ledger entries, and return it. Raises PaymentChanged."""
        async with self._database.autocommit() as connection:
            return await _save(connection, change)

    async def reroute(self, payment: Payment, gateway: str) -> Payment:
        """Commit which gateway is asked next. Raises PaymentChanged unless the payment is as it was."""
        moved = await self._database.run(
            "UPDATE payments SET gateway = %(gateway)s WHERE id = CAST(%(id)s AS uuid) AND version = %(version)s "
            "AND gateway = %(before)s AND ending IS NULL",
            {"gateway": gateway, "id": payment.id, "version": payment.version, "before": payment.gateway},
        )
        if not moved:
            raise PaymentChanged(payment.id)
        return replace(payment, gateway=gateway)

    async def begin_ending(self, payment_id: str, end: State) -> Payment:
        """Commit that a PENDING payment is being ended; from here on nobody can save it as AUTHORIZED."""
        async with self._database.autocommit() as connection:
            await connection.run(
                "UPDATE payments SET ending = coalesce(ending, %(end)s) "
                "WHERE id = CAST(%(id)s AS uuid) AND state = 'PENDING'",
                {"id": payment_id, "end": end},
            )
            return await rows.get(connection, payment_id)

    async def change(self, payment_id: str, decide: Callable[[Payment, Open], Change | None]) -> Payment:
        """Commit what `decide` makes of the payment under its lock, and of what is open, if anything."""
        async with self._database.transaction() as connection:
            payment = await rows.locked(connection, payment_id)
            change = decide(payment, await rows.under_way(connection, payment))
            return payment if change is None else await _save(connection, change)

    async def get(self, payment_id: str) -> Payment:
        """Read a payment. Raises PaymentNotFound."""
        async with self._database.autocommit() as connection:
            return await rows.get(connection, payment_id)

    async def of_order(self, order_id: str) -> Payment | None:
        """Read the payment of an order."""
        return await self._one("WHERE p.order_id = CAST(%(value)s AS uuid)", order_id)

    async def of_reference(self, reference: str) -> Payment | None:
        """Read the payment that a gateway has under its reference."""
        return await self._one("WHERE p.gateway_reference = %(value)s AND p.gateway_reference <> ''", reference)

    async def of_id(self, payment_id: str) -> Payment | None:
        """Read a payment that may not be there."""
        return await self._one("WHERE p.id = CAST(%(value)s AS uuid)", payment_id)

    async def page(self, filters: Mapping[str, str | None], after: str | None, limit: int) -> list[Payment]:
        """Read payments, newest first, that pass the filters owner and order_id, where given."""
        async with self._database.autocommit() as connection:
            values = {**filters, "after": after, "limit": limit}
            return await rows.payments(connection, where(_PAGE, values) + _NEWEST, values)

    async def change_dispute(
        self, payment_id: str, reference: str, decide: Callable[[Payment, Dispute | None], Change | None]
    ) -> Payment:
        """Commit what `decide` makes of the payment and its dispute of that reference, under the payment's lock."""
        async with self._database.transaction() as connection:
            payment = await rows.locked(connection, payment_id)
            values = {"payment_id": payment_id, "reference": reference, "after": None, "limit": 1}
            # Read only now: who comes second finds what the first has stored, and tells of that.
            known = [_dispute_of(row) for row in await connection.rows(_DISPUTES, values)]
            change = decide(payment, known[0] if known else None)
            return payment if change is None else await _save(connection, change)

    async def disputes(self, payment_id: str | None, after: str | None, limit: int) -> list[Dispute]:
        """Read disputes, newest first."""
        values = {"payment_id": payment_id, "reference": None, "after": after, "limit": limit}
        return [_dispute_of(row) for row in await self._database.rows(_DISPUTES, values)]

    async def open_operation(self, payment_id: str, kind: Kind, request_id: str | None, decide: Decide) -> Operation:
        """Commit an operation that `decide` allows; or find the one of the same request id, open or done."""
        async with self._database.transaction() as connection:
            payment = await rows.locked(connection, payment_id)
            if request_id is not None:
                found = await rows.operations(
                    connection,
                    "WHERE o.payment_id = CAST(%(id)s AS uuid) AND o.kind = %(kind)s AND o.request_id = %(request_id)s",
                    {"id": payment_id, "kind": kind, "request_id": request_id},
                )
                if found:
                    return found[0]
            amount, final = decide(payment, await rows.under_way(connection, payment))
            return await _add_operation(connection, payment_id, kind, amount, request_id, final=final)

    async def operation(self, operation_id: str) -> Operation | None:
        """Read an operation that may not be there."""
        async with self._database.autocommit() as connection:
            found = await rows.operations(connection, "WHERE o.id = CAST(%(id)s AS uuid)", {"id": operation_id})
        return found[0] if found else None

    async def close_operation(self, operation: Operation, outcome: Done | Refused, now: datetime) -> Payment:
        """Commit the operation's effect on the payment, with event and ledger entries, once."""
        async with self._database.transaction() as connection:
            payment = await rows.locked(connection, operation.payment_id)
            refusal = outcome.reason if isinstance(outcome, Refused) else ""
            closed = await connection.row(_CLOSE_OPERATION, {"id": operation.id, "refusal": refusal})
            if closed is None or isinstance(outcome, Refused):
                return payment
            change = operations.effect(operation, payment, outcome.reference, now)
            return payment if change is None else await _save(connection, change)

    async def unsettled(self, older_than: timedelta, limit: int) -> list[str]:
        """List payments that are PENDING for longer than that."""
        found = await self._database.rows(
            "SELECT id::text FROM payments WHERE state = 'PENDING' "
            "AND coalesce(expire_time, create_time) < now() - %(older_than)s "
            "ORDER BY coalesce(expire_time, create_time) LIMIT %(limit)s",
            {"older_than": older_than, "limit": limit},
        )
        return [row.id for row in found]

    async def expired(self, now: datetime, limit: int) -> list[str]:
        """List payments whose hold ran out and still counts."""
        found = await self._database.rows(
            "SELECT id::text FROM payments WHERE authorized > captured + voided AND expire_time IS NOT NULL "
            "AND coalesce(expire_time, create_time) <= %(now)s "
            "ORDER BY coalesce(expire_time, create_time) LIMIT %(limit)s",
            {"now": now, "limit": limit},
        )
        return [row.id for row in found]

    async def open_operations(self, older_than: timedelta, limit: int) -> list[Operation]:
        """List operations that are open for longer than that."""
        async with self._database.autocommit() as connection:
            return await rows.operations(
                connection,
                "WHERE NOT o.done AND o.create_time < now() - %(older_than)s ORDER BY o.create_time LIMIT %(limit)s",
                {"older_than": older_than, "limit": limit},
            )

    async def _one(self, where: str, value: str) -> Payment | None:
        async with self._database.autocommit() as connection:
            found = await rows.payments(connection, where, {"value": value})
        return found[0] if found else None


async def _save(connection: Connection, change: Change) -> Payment:
    payment = change.payment
    booked = [
        LedgerEntry(new_id(), each.kind, each.amount, payment.update_time, each.reference, each.operation_id)
        for each in change.entries
    ]
    told = replace(payment, ledger=(*payment.ledger, *booked)) if booked else payment
    if change.dispute:
        await connection.run(_DISPUTE, _dispute(change.dispute))
    for entry in booked[1:]:
        await connection.run(_ENTRY, {**_columns(payment), **_entry(entry)})
    parameters = {
        **_columns(payment),
        **events.parameters(event_of(replace(change, payment=told))),
        "authorized": payment.authorized.minor_units,
        "captured": payment.captured.minor_units,
        "refunded": payment.refunded.minor_units,
        "voided": payment.voided.minor_units,
        "charged_back": payment.charged_back.minor_units,
        "expire_time": payment.expire_time,
        "gateway_reference": payment.gateway_reference,
        "failure_reason": payment.failure_reason,
        **(_entry(booked[0]) if booked else _NO_ENTRY),
    }
    (saved,) = await connection.row(_SAVE, parameters)
    if not saved:
        raise PaymentChanged(payment.id)
    return told


async def _add_operation(  # noqa: PLR0913 - the columns
    connection: Connection, payment_id: str, kind: Kind, amount: Money, request_id: str | None, *, final: bool
) -> Operation:
    operation_id = new_id()
    values = {
        "id": operation_id,
        "payment_id": payment_id,
        "kind": kind,
        "amount": amount.minor_units,
        "request_id": request_id,
        "final": final,
    }
    (create_time,) = await connection.row(_ADD_OPERATION, values)
    return Operation(operation_id, payment_id, kind, amount, request_id, create_time, final)


def _columns(payment: Payment) -> dict[str, Any]:
    return {
        "id": payment.id,
        "state": payment.state,
        "version": payment.version,
        "update_time": payment.update_time,
    }


_NO_ENTRY = dict.fromkeys(("entry_id", "kind", "moved", "reference", "operation_id"))


def _entry(entry: LedgerEntry) -> dict[str, Any]:
    return {
        "entry_id": entry.id,
        "kind": entry.kind,
        "moved": entry.amount.minor_units,
        "reference": entry.reference,
        "operation_id": entry.operation_id,
    }


def _dispute_of(row: Row) -> Dispute:
    return Dispute(
        row.id, row.payment_id, row.gateway_reference, DisputeState(row.state),
        Money(row.currency_code, row.amount), row.reason, row.create_time, row.update_time,
    )  # fmt: skip


def _dispute(dispute: Dispute) -> dict[str, Any]:
    return {
        "id": dispute.id,
        "payment_id": dispute.payment_id,
        "reference": dispute.reference,
        "state": dispute.state,
        "amount": dispute.amount.minor_units,
        "reason": dispute.reason,
        "create_time": dispute.create_time,
        "update_time": dispute.update_time,
    }
