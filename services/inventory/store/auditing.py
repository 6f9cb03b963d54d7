"""Questions that find nothing as long as the books balance. Each reads only, and may be asked of a database in use."""

from dataclasses import dataclass

from services.common.database import Database, Row


@dataclass(frozen=True, slots=True)
class Question:
    """What must hold, and the statement that finds where it doesn't."""

    rule: str
    statement: str


QUESTIONS = (
    Question(
        "the sum of the ledger is what is on hand",
        """
        SELECT sku, warehouse_id::text, coalesce(on_hand, 0) AS on_hand, coalesce(moved, 0)::bigint AS moved
        FROM stock_levels FULL JOIN (
            SELECT sku, warehouse_id, sum(quantity) AS moved FROM stock_movements GROUP BY sku, warehouse_id
        ) AS ledger USING (sku, warehouse_id)
        WHERE coalesce(on_hand, 0) <> coalesce(moved, 0)
        """,
    ),
    Question(
        "what is reserved and backordered is what open reservations hold and wait for",
        """
        SELECT sku, warehouse_id::text, reserved, coalesce(held, 0)::bigint AS held,
               l.backordered, coalesce(waiting, 0)::bigint AS waiting
        FROM stock_levels l FULL JOIN (
            SELECT sku, warehouse_id, sum(quantity - a.backordered - committed - released) AS held,
                   sum(a.backordered) AS waiting
            FROM allocations a JOIN reservations ON reservations.id = reservation_id
            WHERE state = 'HELD' GROUP BY sku, warehouse_id
        ) AS holds USING (sku, warehouse_id)
        WHERE coalesce(reserved, 0) <> coalesce(held, 0) OR coalesce(l.backordered, 0) <> coalesce(waiting, 0)
        """,
    ),
    Question(
        "nothing is oversold, and nobody waits for what is there",
        """
        SELECT sku, warehouse_id::text, on_hand, reserved, backordered, safety_stock FROM stock_levels
        WHERE reserved > on_hand OR (backordered > 0 AND on_hand - reserved > safety_stock)
        """,
    ),
    Question(
        "a reservation's state is that of its units",
        """
        SELECT order_id::text, state FROM reservations r JOIN (
            SELECT reservation_id, sum(quantity - committed - released) AS open, sum(committed) AS gone
            FROM allocations GROUP BY reservation_id
        ) AS units ON reservation_id = r.id
        WHERE state <> CASE WHEN open > 0 THEN 'HELD' WHEN gone > 0 THEN 'COMMITTED' ELSE 'RELEASED' END
        """,
    ),
    Question(
        "what left and came back for an order is in the ledger",
        """
        SELECT order_id, gone, back, shipped, returned FROM (
            SELECT order_id::text, sum(committed) AS gone, sum(a.returned) AS back
            FROM reservations r JOIN allocations a ON a.reservation_id = r.id GROUP BY order_id
        ) AS parts FULL JOIN (
            SELECT reference AS order_id,
                   -sum(quantity) FILTER (WHERE kind IN ('SHIPMENT', 'SHIPMENT_REVERSAL')) AS shipped,
                   sum(quantity) FILTER (WHERE kind = 'RETURN') AS returned
            FROM stock_movements WHERE kind IN ('SHIPMENT', 'SHIPMENT_REVERSAL', 'RETURN') GROUP BY reference
        ) AS ledger USING (order_id)
        WHERE coalesce(gone, 0) <> coalesce(shipped, 0) OR coalesce(back, 0) <> coalesce(returned, 0)
        """,
    ),
    Question(
        # A refused reservation and one that was released before it was made hold nothing and tell nothing.
        "every change of a reservation was told, in order",
        """
        SELECT order_id::text, version, array_agg(sequence ORDER BY sequence) AS told
        FROM reservations LEFT JOIN events ON aggregate_id = order_id::text AND aggregate_type = 'reservation'
        WHERE short = '{}' AND expire_time > create_time
        GROUP BY reservations.id
        HAVING count(sequence) <> version OR min(sequence) <> 1 OR max(sequence) <> version
        """,
    ),
    Question(
        "every change of a SKU's stock was told, in order",
        """
        SELECT sku, stock_items.sequence, count(events.sequence) AS told
        FROM stock_items LEFT JOIN events ON aggregate_id = sku AND aggregate_type = 'stock'
        GROUP BY sku
        HAVING count(events.sequence) <> stock_items.sequence OR max(events.sequence) <> stock_items.sequence
        """,
    ),
)


async def differences(database: Database) -> dict[str, list[Row]]:
    """Ask all questions of one state of the database. Gives what was found, by rule; nothing when the books balance."""
    async with database.transaction() as connection:
        await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        await connection.execute("SET LOCAL statement_timeout = 0")
        found = {question.rule: await connection.rows(question.statement) for question in QUESTIONS}
    return {rule: rows for rule, rows in found.items() if rows}
