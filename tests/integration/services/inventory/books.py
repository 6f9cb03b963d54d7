"""What must hold of the inventory database at any moment, whoever did what to it at once."""

from tests.integration.postgres import Postgres

UNBALANCED = """
SELECT sku, warehouse_id, on_hand, reserved, coalesce(moved, 0), coalesce(held, 0)
FROM stock_levels
LEFT JOIN (SELECT sku, warehouse_id, sum(quantity) AS moved FROM stock_movements GROUP BY 1, 2) AS movements
    USING (sku, warehouse_id)
LEFT JOIN (
    SELECT sku, warehouse_id, sum(quantity) AS held
    FROM allocations JOIN reservations ON reservations.id = reservation_id WHERE state = 'HELD' GROUP BY 1, 2
) AS holds USING (sku, warehouse_id)
WHERE on_hand <> coalesce(moved, 0) OR reserved <> coalesce(held, 0) OR reserved > on_hand
"""
# A refused reservation and one that was released before it was made hold nothing and tell nothing.
UNTOLD = """
SELECT order_id, version, array_agg(sequence ORDER BY sequence)
FROM reservations LEFT JOIN events ON aggregate_id = order_id::text AND aggregate_type = 'reservation'
GROUP BY order_id, version, short, expire_time, create_time
HAVING array_agg(sequence ORDER BY sequence) <> ARRAY(SELECT generate_series(1::bigint, version))
    AND short = '{}' AND expire_time > create_time
"""
UNCOUNTED = """
SELECT sku, array_agg(events.sequence ORDER BY events.sequence)
FROM stock_items JOIN events ON aggregate_id = sku AND aggregate_type = 'stock'
GROUP BY sku, stock_items.sequence
HAVING array_agg(events.sequence ORDER BY events.sequence)
    <> ARRAY(SELECT generate_series(1::bigint, stock_items.sequence))
"""


def audit(postgres: Postgres) -> None:
    """Compare levels with the ledger, holds with levels, and changes with events."""
    with postgres.superuser("inventory") as connection:
        for question in (UNBALANCED, UNTOLD, UNCOUNTED):
            assert connection.execute(question.encode()).fetchall() == []
