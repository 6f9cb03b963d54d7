"""What the services keep in their databases, read as themselves in sessions that can't write, some orders at a time."""

import contextlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import psycopg
from psycopg.rows import TupleRow

from deploy.native import secrets
from deploy.native.audit.rules import Books, Difference, Fulfilment, Payment, Units
from deploy.native.errors import StackError
from deploy.native.provision.environment import settings_of
from deploy.native.runtime import Runtime

BATCH = 5000
UNKNOWN = (None, "", None, None, False, None, 0, 0)
"""What the order service knows of an order that there is not."""

READ_ONLY = "-c default_transaction_read_only=on"

_ORDERS = """
SELECT id::text, state, currency_code, payment_id::text, reservation_id::text, under_way,
       (SELECT json_object_agg(sku, json_build_array(quantity - cancelled - shipped, shipped))
        FROM order_lines WHERE order_id = orders.id),
       (SELECT coalesce(sum(amount), 0) FROM order_parts
        WHERE order_id = orders.id AND kind = 'SHIPMENT' AND state IN ('SHIPPED', 'DELIVERED')),
       (SELECT coalesce(sum(amount), 0) FROM order_parts
        WHERE order_id = orders.id AND kind = 'REFUND' AND state = 'COMPLETED')
FROM orders WHERE id = ANY(%s::uuid[])
"""
_IDS = "SELECT {column}::text FROM {table} WHERE {column} > %s ORDER BY {column} LIMIT %s"
_RESERVATIONS = """
SELECT order_id::text, id::text, state,
       (SELECT json_object_agg(sku, json_build_array(open, gone)) FROM (
            SELECT sku, sum(quantity - committed - released) AS open, sum(committed) AS gone
            FROM allocations WHERE reservation_id = reservations.id GROUP BY sku
        ) parts)
FROM reservations WHERE order_id = ANY(%s::uuid[])
"""
_PAYMENTS = """
SELECT order_id::text, id::text, state, currency_code, authorized, captured, refunded FROM payments
WHERE order_id = ANY(%s::uuid[])
"""
# REVERSAL takes back what its kind gave.
_UNBALANCED = """
SELECT p.id::text, p.authorized, p.captured, p.refunded, l.authorized, l.captured, l.refunded
FROM payments p CROSS JOIN LATERAL (
    SELECT coalesce(sum(amount) FILTER (WHERE kind = 'AUTHORIZATION'), 0) AS authorized,
           coalesce(sum(amount) FILTER (WHERE kind = 'CAPTURE'), 0)
               - coalesce(sum(amount) FILTER (WHERE kind = 'CAPTURE_REVERSAL'), 0) AS captured,
           coalesce(sum(amount) FILTER (WHERE kind = 'REFUND'), 0)
               - coalesce(sum(amount) FILTER (WHERE kind = 'REFUND_REVERSAL'), 0) AS refunded
    FROM ledger_entries WHERE payment_id = p.id
) l
WHERE (p.authorized, p.captured, p.refunded) IS DISTINCT FROM (l.authorized, l.captured, l.refunded)
"""
_UNEVEN = """
SELECT o.id::text, o.version, coalesce(e.found, 0), coalesce(e.newest, 0)
FROM orders o LEFT JOIN (
    SELECT aggregate_id, count(*) AS found, max(sequence) AS newest FROM events GROUP BY aggregate_id
) e ON e.aggregate_id = o.id::text
WHERE (o.version, o.version) IS DISTINCT FROM (e.found, e.newest)
"""

Connection = psycopg.Connection[TupleRow]


@contextlib.contextmanager
def reading(runtime: Runtime, service: str) -> Iterator[Connection]:
    """Open a service's database. Raises StackError when that can't be."""
    kept = secrets.ensure(runtime.root, runtime.topology.services)
    url = str(settings_of(runtime, kept, service)["DATABASE_URL"]).replace("postgresql+psycopg:", "postgresql:", 1)
    try:
        with psycopg.connect(url, autocommit=True, options=READ_ONLY, connect_timeout=5) as connection:
            yield connection
    except psycopg.Error as error:
        raise StackError(f"the database of {service} can't be read: {error}") from error


def orders(runtime: Runtime) -> Iterator[Books]:
    """Put together what is kept of each order, also of those that only stock or money know."""
    with (
        reading(runtime, "order") as order,
        reading(runtime, "inventory") as inventory,
        reading(runtime, "payment") as payment,
    ):
        known = ((order, "orders", "id"), (inventory, "reservations", "order_id"), (payment, "payments", "order_id"))
        for number, (connection, table, column) in enumerate(known):
            for ids in _batches(connection, table, column):
                found = _together(ids, order, inventory, payment)
                # What the order service knows came with the first table.
                yield from (each for each in found if number == 0 or each.state is None)


def unbalanced(runtime: Runtime) -> Iterator[Difference]:
    """Find payments whose row is not what their ledger adds up to."""
    with reading(runtime, "payment") as connection:
        for id_, *stated in connection.execute(_UNBALANCED):
            said = "authorized {}, captured {}, refunded {}; its ledger says {}, {} and {}".format(*stated)
            yield Difference("payment", id_, said)


def uneven(runtime: Runtime) -> Iterator[Difference]:
    """Find orders whose version is not the number of their events."""
    with reading(runtime, "order") as connection:
        for id_, version, count, newest in connection.execute(_UNEVEN):
            yield Difference(
                "order", id_, f"is at version {version} and has {count} events, the newest of which is {newest}"
            )


def _batches(connection: Connection, table: str, column: str) -> Iterator[list[str]]:
    last, query = "00000000-0000-0000-0000-000000000000", _IDS.format(table=table, column=column)
    while ids := [row[0] for row in connection.execute(query, (last, BATCH))]:
        yield ids
        last = ids[-1]


def _together(ids: Sequence[str], order: Connection, inventory: Connection, payment: Connection) -> Iterator[Books]:
    """Read the order first: what it says of the others is there by then."""
    wanted = (list(ids),)
    placed: dict[str, tuple[Any, ...]] = {id_: rest for id_, *rest in order.execute(_ORDERS, wanted)}  # type: ignore[misc]
    held = {id_: (found, state, stock) for id_, found, state, stock in inventory.execute(_RESERVATIONS, wanted)}
    paid: dict[str, list[Payment]] = defaultdict(list)
    for id_, *rest in payment.execute(_PAYMENTS, wanted):
        paid[id_].append(Payment(*rest))
    for id_ in ids:
        state, currency, payment_id, reservation_id, *fulfilment = placed.get(id_, UNKNOWN)
        reservation = held.get(id_)
        yield Books(
            id_,
            state,
            currency,
            payment_id,
            reservation_id,
            held=reservation and reservation[:2],
            payments=tuple(paid[id_]),
            fulfilment=_fulfilment(*fulfilment),
            stock=_units(reservation[2] if reservation else None),
        )


def _fulfilment(under_way: bool, lines: Mapping[str, list[int]] | None, captured: int, refunded: int) -> Fulfilment:  # noqa: FBT001 - as the row has it
    return Fulfilment(_units(lines), int(captured), int(refunded), under_way=under_way)


def _units(by_sku: Mapping[str, list[int]] | None) -> dict[str, Units]:
    return {sku: (open_, gone) for sku, (open_, gone) in (by_sku or {}).items()}
