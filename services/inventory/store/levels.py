"""Reading, locking, making and writing levels of stock."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from services.common.database import Connection
from services.inventory.domain.stock import Change, Level, Policy

Key = tuple[str, str]
"""SKU and id of a warehouse."""

_LEVELS = """
SELECT l.sku, l.warehouse_id::text, w.code AS warehouse_code, w.priority, l.on_hand, l.reserved, l.backordered,
       l.safety_stock, l.backorder_limit, l.low_stock_threshold, w.region_codes, w.latitude, w.longitude
FROM stock_levels l JOIN warehouses w ON w.id = l.warehouse_id
"""
# Asked for each order; in a sub-select, so that its plan is kept (see services.common.connection).
_OF_SKUS = _LEVELS + "WHERE l.sku = ANY(CAST((SELECT %(skus)s) AS text[])) ORDER BY l.sku, l.warehouse_id "
_OF_KEYS = (
    _LEVELS
    + """JOIN unnest(CAST(%(skus)s AS text[]), CAST(%(warehouse_ids)s AS uuid[])) AS k (sku, warehouse_id)
    ON l.sku = k.sku AND l.warehouse_id = k.warehouse_id
ORDER BY l.sku, l.warehouse_id FOR UPDATE OF l
"""
)
_LOCKED = "FOR UPDATE OF l"
_POLICY = "SELECT safety_stock, backorder_limit, low_stock_threshold FROM stock_items WHERE sku = %(sku)s"
_ADD = """
INSERT INTO stock_levels (sku, warehouse_id, on_hand, reserved) VALUES (%(sku)s, CAST(%(warehouse_id)s AS uuid), 0, 0)
ON CONFLICT DO NOTHING
"""
_WRITE = """
UPDATE stock_levels l SET on_hand = n.on_hand, reserved = n.reserved, backordered = n.backordered,
    safety_stock = n.safety_stock, backorder_limit = n.backorder_limit, low_stock_threshold = n.low_stock_threshold,
    low = n.low
FROM unnest(
    CAST(%(skus)s AS text[]), CAST(%(warehouse_ids)s AS uuid[]), CAST(%(on_hand)s AS bigint[]),
    CAST(%(reserved)s AS bigint[]), CAST(%(backordered)s AS bigint[]), CAST(%(safety_stock)s AS bigint[]),
    CAST(%(backorder_limit)s AS bigint[]), CAST(%(low_stock_threshold)s AS bigint[]), CAST(%(low)s AS boolean[])
) AS n (
    sku, warehouse_id, on_hand, reserved, backordered, safety_stock, backorder_limit, low_stock_threshold, low
)
WHERE l.sku = n.sku AND l.warehouse_id = n.warehouse_id
"""


async def of_skus(connection: Connection, skus: Sequence[str], *, lock: bool = False) -> list[Level]:
    """Read all levels of the SKUs, in the order of locks."""
    statement = _OF_SKUS + _LOCKED if lock else _OF_SKUS
    return [Level(*row) for row in await connection.rows(statement, {"skus": list(skus)})]


async def locked(connection: Connection, keys: Iterable[Key]) -> dict[Key, Level]:
    """Lock and read levels; there may be fewer."""
    values = keys_to_values(keys)
    rows = await connection.rows(_OF_KEYS, values) if values["skus"] else []
    return {(row.sku, row.warehouse_id): Level(*row) for row in rows}


async def locked_or_made(connection: Connection, wanted: Iterable[Key]) -> dict[Key, Change]:
    """Lock levels, as changes that have not changed anything yet.

    Those that are missing are made first, because nobody may wait for a level that is being made while holding others;
    they begin with the policy of their SKU.
    """
    keys = sorted(set(wanted))
    policies: dict[Key, Policy] = {}
    there = {(level.sku, level.warehouse_id) for level in await of_skus(connection, sorted({sku for sku, _ in keys}))}
    for sku, warehouse_id in keys:
        if (sku, warehouse_id) not in there:
            await exclude_policies(connection, sku)
            await connection.run(_ADD, {"sku": sku, "warehouse_id": warehouse_id})
            row = await connection.row(_POLICY, {"sku": sku})
            policies[sku, warehouse_id] = Policy(*row) if row else Policy()
    found = await locked(connection, keys)
    return {key: Change(level, _with_policy(level, policies.get(key))) for key, level in found.items()}


async def exclude_policies(connection: Connection, sku: str) -> None:
    """Let nobody else set the SKU's policy, nor make a level of it, until this transaction ends."""
    await connection.run(
        "SELECT pg_advisory_xact_lock(hashtextextended('stock policy of ' || %(sku)s, 0))", {"sku": sku}
    )


async def write(connection: Connection, changes: Sequence[Change]) -> None:
    """Write locked levels as they are after their changes."""
    after = [change.after for change in changes]
    await connection.run(
        _WRITE,
        {
            "skus": [level.sku for level in after],
            "warehouse_ids": [level.warehouse_id for level in after],
            "on_hand": [level.on_hand for level in after],
            "reserved": [level.reserved for level in after],
            "backordered": [level.backordered for level in after],
            "safety_stock": [level.safety_stock for level in after],
            "backorder_limit": [level.backorder_limit for level in after],
            "low_stock_threshold": [level.low_stock_threshold for level in after],
            "low": [level.low for level in after],
        },
    )


def keys_to_values(keys: Iterable[Key]) -> dict[str, list[str]]:
    """Write keys as two arrays, in the order of locks."""
    pairs = sorted(set(keys))
    return {"skus": [sku for sku, _ in pairs], "warehouse_ids": [warehouse_id for _, warehouse_id in pairs]}


def _with_policy(level: Level, policy: Policy | None) -> Level:
    if policy is None or level.on_hand or level.reserved or level.policy != Policy():
        return level
    return replace(
        level,
        safety_stock=policy.safety_stock,
        backorder_limit=policy.backorder_limit,
        low_stock_threshold=policy.low_stock_threshold,
    )
