"""What follows from changed levels, in the same transaction: orders wait or no longer wait, and low stock is told."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial

from services.common import events
from services.common.database import Connection
from services.common.events import EventRecord
from services.inventory.domain.reservation import Units, backorder
from services.inventory.domain.stock import Change
from services.inventory.events import backorder_changed, stock_low, stock_replenished
from services.inventory.store import levels, records

# Who waits for units that came: the oldest first.
_WAITING = """
WITH due AS (
    SELECT a.reservation_id, a.sku, a.warehouse_id, a.backordered AS most, given.units,
           sum(a.backordered) OVER (PARTITION BY a.sku, a.warehouse_id ORDER BY a.reservation_id) AS upto
    FROM unnest(CAST(%(skus)s AS text[]), CAST(%(warehouse_ids)s AS uuid[]), CAST(%(units)s AS bigint[]))
        AS given (sku, warehouse_id, units)
    JOIN allocations a ON a.sku = given.sku AND a.warehouse_id = given.warehouse_id AND a.backordered > 0
)
SELECT reservation_id::text, sku, warehouse_id::text, least(most, units - (upto - most))::bigint AS quantity
FROM due WHERE upto - most < units ORDER BY reservation_id, sku, warehouse_id
"""
# Who held units that are gone: the newest first.
_HOLDING = """
WITH due AS (
    SELECT a.reservation_id, a.sku, a.warehouse_id, a.quantity - a.backordered - a.committed - a.released AS most,
           gone.units, sum(a.quantity - a.backordered - a.committed - a.released)
               OVER (PARTITION BY a.sku, a.warehouse_id ORDER BY a.reservation_id DESC) AS upto
    FROM reservations r JOIN allocations a ON a.reservation_id = r.id
    JOIN unnest(CAST(%(skus)s AS text[]), CAST(%(warehouse_ids)s AS uuid[]), CAST(%(units)s AS bigint[]))
        AS gone (sku, warehouse_id, units) ON a.sku = gone.sku AND a.warehouse_id = gone.warehouse_id
    WHERE r.state = 'HELD' AND a.quantity > a.backordered + a.committed + a.released
)
SELECT reservation_id::text, sku, warehouse_id::text, least(most, units - (upto - most))::bigint AS quantity
FROM due WHERE upto - most < units ORDER BY reservation_id, sku, warehouse_id
"""
_NEXT = """
INSERT INTO stock_items (sku, sequence) VALUES (%(sku)s, 1)
ON CONFLICT (sku) DO UPDATE SET sequence = stock_items.sequence + 1 RETURNING sequence
"""


async def apply(connection: Connection, changes: Sequence[Change]) -> None:
    """Write the changes of locked levels, and all that follows from them."""
    await levels.write(connection, changes)
    await _redistribute(connection, _WAITING, [(change, change.filled) for change in changes if change.filled > 0], -1)
    await _redistribute(connection, _HOLDING, [(change, -change.filled) for change in changes if change.filled < 0], 1)
    for change in changes:
        before, after = change.before, change.after
        if after.low and not before.low:
            await tell(connection, after.sku, partial(stock_low, after))
        if before.low and not after.low:
            await tell(connection, after.sku, partial(stock_replenished, after))


async def tell(connection: Connection, sku: str, event: Callable[[int], EventRecord]) -> None:
    """Append an event about the stock of a SKU; `event` is given its sequence number."""
    row = await connection.row(_NEXT, {"sku": sku})
    await events.append(connection, event(row.sequence))


async def _redistribute(
    connection: Connection, question: str, moved: Sequence[tuple[Change, int]], direction: int
) -> None:
    """Have orders wait for units (direction 1), or no longer wait for them (-1)."""
    if not moved:
        return
    values = {
        "skus": [change.after.sku for change, _ in moved],
        "warehouse_ids": [change.after.warehouse_id for change, _ in moved],
        "units": [units for _, units in moved],
    }
    affected: dict[str, list[Units]] = defaultdict(list)
    for row in await connection.rows(question, values):
        affected[row.reservation_id].append(Units(row.sku, row.warehouse_id, row.quantity * direction))
    found = await records.locked_by_id(connection, list(affected))
    after = [backorder(found[reservation_id], units) for reservation_id, units in affected.items()]
    await records.save(connection, after)
    for reservation, units in zip(after, affected.values(), strict=True):
        await events.append(connection, backorder_changed(reservation, units))
