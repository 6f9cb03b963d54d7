"""Fills databases with orders that were placed long ago, by SQL: what a year of trade leaves behind, in minutes.

A customer has ten orders, one in ten is not delivered yet. They came one each half minute, so that ids, which hold the
time, are spread as they would be. Each order has its events, as large as real ones are.
"""

import random
from typing import LiteralString

from tests.integration.postgres import Postgres

ORDERS_EACH = 10
SKUS = 1000
PAYLOAD_BYTES = 450

# Bulk loading: neither foreign keys nor triggers are asked for each row, and nobody waits for the disk.
_PREPARE: tuple[LiteralString, ...] = (
    "SET session_replication_role = replica",
    "SET synchronous_commit = off",
    "SET maintenance_work_mem = '512MB'",
    "SET work_mem = '64MB'",
)
_ORDERS: tuple[LiteralString, ...] = (
    """
    INSERT INTO orders (id, customer_id, state, currency_code, total, shipping_address, payment_id, reservation_id,
                        version, create_time, update_time)
    SELECT uuidv7(-ago), md5((n %% %(customers)s)::text)::uuid,
           CASE WHEN n %% 10 = 0 THEN 'CONFIRMED' ELSE 'DELIVERED' END, 'EUR', 1999,
           '{"region_code": "DE", "postal_code": "10115", "locality": "Berlin", "address_lines": ["Invalidenstr. 1"]}',
           gen_random_uuid(), gen_random_uuid(), 3, now() - ago,
           now() - ago
    FROM generate_series(1, %(count)s) n, make_interval(secs => 30.0 * (%(count)s - n)) ago
    """,
    """
    INSERT INTO order_lines (order_id, position, sku, quantity, product_id, name, unit_price)
    SELECT id, 1, 'GROWTH-' || abs(hashtext(id::text)) %% %(skus)s, 1, gen_random_uuid(), 'Something', 1999 FROM orders
    """,
    """
    INSERT INTO idempotency_keys (customer_id, key, fingerprint, order_id, create_time)
    SELECT customer_id, id::text, sha256(id::text::bytea), id, create_time FROM orders
    """,
    """
    INSERT INTO events (aggregate_type, aggregate_id, sequence, type, payload, actor, request_id, occurred_at)
    SELECT 'order', id::text, sequence, 'ordermesh.order.v1.OrderConfirmed', %(payload)s, 'user:' || customer_id,
           id::text, create_time
    FROM orders, generate_series(1, 3) sequence
    """,
)
_RESERVATIONS: tuple[LiteralString, ...] = (
    """
    INSERT INTO reservations (id, order_id, state, expire_time, create_time, version)
    SELECT uuidv7(-ago), uuidv7(-ago),
           CASE WHEN n %% 10 = 0 THEN 'HELD' ELSE 'COMMITTED' END, now() + interval '1 day',
           now() - ago, 1
    FROM generate_series(1, %(count)s) n, make_interval(secs => 30.0 * (%(count)s - n)) ago
    """,
    """
    INSERT INTO allocations (reservation_id, sku, warehouse_id, quantity)
    SELECT r.id, l.sku, l.warehouse_id, 1
    FROM reservations r JOIN stock_levels l ON l.sku = 'GROWTH-' || abs(hashtext(r.id::text)) %% %(skus)s
    """,
    """
    INSERT INTO events (aggregate_type, aggregate_id, sequence, type, payload, actor, occurred_at)
    SELECT 'reservation', order_id::text, 1, 'ordermesh.inventory.v1.StockReserved', %(payload)s, 'service:order',
           create_time
    FROM reservations
    """,
)
_PAYMENTS: tuple[LiteralString, ...] = (
    """
    INSERT INTO payments (id, order_id, customer_id, state, currency_code, amount, authorized, captured, gateway,
                          gateway_reference, version, create_time, update_time)
    SELECT uuidv7(-ago), uuidv7(-ago),
           md5((n %% %(customers)s)::text)::uuid, 'CAPTURED', 'EUR', 1999, 1999, 1999, 'sandbox',
           'growth_' || uuidv7(-ago), 3, now() - ago,
           now() - ago
    FROM generate_series(1, %(count)s) n, make_interval(secs => 30.0 * (%(count)s - n)) ago
    """,
    """
    INSERT INTO ledger_entries (payment_id, kind, amount, create_time)
    SELECT id, kind, amount, create_time FROM payments, unnest(ARRAY['AUTHORIZATION', 'CAPTURE']) kind
    """,
    """
    INSERT INTO events (aggregate_type, aggregate_id, sequence, type, payload, actor, occurred_at)
    SELECT 'payment', id::text, sequence, 'ordermesh.payment.v1.PaymentAuthorized', %(payload)s, 'service:order',
           create_time
    FROM payments, generate_series(1, 2) sequence
    """,
)


def fill(postgres: Postgres, count: int) -> None:
    """Add so many orders, with their reservations and payments, and let the server know what its tables hold by now."""
    values = {
        "count": count,
        "customers": max(count // ORDERS_EACH, 1),
        "skus": SKUS,
        "payload": random.randbytes(PAYLOAD_BYTES),
    }
    for service, statements in (("order", _ORDERS), ("inventory", _RESERVATIONS), ("payment", _PAYMENTS)):
        with postgres.superuser(service) as connection:
            for preparation in _PREPARE:
                connection.execute(preparation)
            for statement in statements:
                connection.execute(statement, values)
            connection.execute("VACUUM (ANALYZE)")
            connection.execute("CHECKPOINT")
