"""Levels of stock: units that arrive, go, move and are counted, policies, and the ledger of it all."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

from psycopg.errors import UniqueViolation

from services.common.database import Connection, Database
from services.inventory.domain.errors import NotOnHand, RequestIdReused, StockNotFound
from services.inventory.domain.stock import Change, Level, Movement, MovementKind, Policy, Warehouse, change
from services.inventory.events import (
    stock_adjusted,
    stock_counted,
    stock_policy_set,
    stock_received,
    stock_transferred,
)
from services.inventory.store import levels, warehouses
from services.inventory.store.consequences import apply, tell
from services.inventory.store.ledger import Entry, Remark, Request, book, first_time

_SET_POLICY = """
INSERT INTO stock_items (sku, sequence, safety_stock, backorder_limit, low_stock_threshold)
VALUES (%(sku)s, 0, %(safety_stock)s, %(backorder_limit)s, %(low_stock_threshold)s)
ON CONFLICT (sku) DO UPDATE SET safety_stock = excluded.safety_stock, backorder_limit = excluded.backorder_limit,
    low_stock_threshold = excluded.low_stock_threshold
"""
_MOVEMENTS = """
SELECT m.id::text, m.sku, m.warehouse_id::text, w.code AS warehouse_code, m.quantity, m.kind, m.reason, m.note,
       coalesce(m.reference, '') AS order_id, m.actor, coalesce(m.request_id, '') AS request_id, m.create_time
FROM stock_movements m JOIN warehouses w ON w.id = m.warehouse_id
WHERE m.sku = %(sku)s AND (%(code)s = '' OR w.code = %(code)s)
    AND (CAST(%(after)s AS uuid) IS NULL OR m.id < CAST(%(after)s AS uuid))
ORDER BY m.id DESC LIMIT %(limit)s
"""


class StockStore:
    """What is there. The sum of a SKU's movements in a warehouse is what is on hand there."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def levels(self, skus: Sequence[str]) -> list[Level]:
        """Read the levels of the SKUs; none for a SKU that was never received."""
        async with self._database.autocommit() as connection:
            return await levels.of_skus(connection, skus)

    async def movements(self, sku: str, warehouse_code: str, after: str | None, limit: int) -> list[Movement]:
        """Read the ledger of a SKU, newest first, after the id of an entry."""
        values = {"sku": sku, "code": warehouse_code, "after": after, "limit": limit}
        rows = await self._database.rows(_MOVEMENTS, values)
        return [Movement(**row._asdict() | {"kind": MovementKind(row.kind)}) for row in rows]

    async def receive(self, sku: str, quantity: int, warehouse_code: str, request: Request | None = None) -> None:
        """Book units that arrived, once for each request. Raises WarehouseNotFound, RequestIdReused."""
        async with self._once(request) as connection:
            if connection is None:
                return
            warehouse = await warehouses.by_code(connection, warehouse_code)
            changed = _more(await _one(connection, sku, warehouse), quantity)
            await book(connection, [Entry(sku, warehouse.id, quantity, MovementKind.RECEIPT)], request)
            await apply(connection, [changed])
            await tell(connection, sku, lambda sequence: stock_received(changed.after, quantity, sequence))

    async def adjust(
        self, sku: str, quantity: int, warehouse_code: str, remark: Remark, request: Request | None = None
    ) -> None:
        """Correct the number of units, once for each request. Raises NotOnHand, StockNotFound and as receive does."""
        async with self._once(request) as connection:
            if connection is None:
                return
            warehouse = await warehouses.by_code(connection, warehouse_code)
            level = await _one(connection, sku, warehouse) if quantity > 0 else await _there(connection, sku, warehouse)
            if level.before.on_hand + quantity < 0:
                raise NotOnHand(sku, warehouse_code, level.before.on_hand)
            changed = _more(level, quantity)
            entry = Entry(sku, warehouse.id, quantity, MovementKind.ADJUSTMENT)
            await book(connection, [entry], request, remark)
            await apply(connection, [changed])
            await tell(
                connection, sku, lambda sequence: stock_adjusted(changed.after, quantity, remark.reason, sequence)
            )

    async def transfer(
        self, sku: str, quantity: int, between: tuple[str, str], remark: Remark, request: Request | None = None
    ) -> None:
        """Move units that are not held from one warehouse to the other, once for each request.

        Raises NotOnHand and as receive does.
        """
        async with self._once(request) as connection:
            if connection is None:
                return
            origin, target = [await warehouses.by_code(connection, code) for code in between]
            found = await levels.locked_or_made(connection, [(sku, origin.id), (sku, target.id)])
            leaving, coming = found[sku, origin.id], found[sku, target.id]
            if (most := leaving.before.on_hand - leaving.before.reserved) < quantity:
                raise NotOnHand(sku, origin.code, most)
            entries = [
                Entry(sku, origin.id, -quantity, MovementKind.TRANSFER_OUT),
                Entry(sku, target.id, quantity, MovementKind.TRANSFER_IN),
            ]
            await book(connection, entries, request, remark)
            await apply(connection, [_more(leaving, -quantity), _more(coming, quantity)])
            await tell(connection, sku, lambda sequence: stock_transferred(sku, origin, target, quantity, sequence))

    async def count(
        self, sku: str, on_hand: int, warehouse_code: str, remark: Remark, request: Request | None = None
    ) -> None:
        """Set what is on hand to what was counted, once for each request. Raises as receive does."""
        async with self._once(request) as connection:
            if connection is None:
                return
            warehouse = await warehouses.by_code(connection, warehouse_code)
            level = await _one(connection, sku, warehouse)
            difference = on_hand - level.before.on_hand
            if difference:
                await book(connection, [Entry(sku, warehouse.id, difference, MovementKind.COUNT)], request, remark)
            changed = _more(level, difference)
            await apply(connection, [changed])
            await tell(connection, sku, lambda sequence: stock_counted(changed.after, difference, sequence))

    async def set_policy(self, sku: str, warehouse_code: str, policy: Policy) -> None:
        """Set the policy of a level, or of all levels of the SKU and those to come. Raises WarehouseNotFound."""
        async with self._database.transaction() as connection:
            await levels.exclude_policies(connection, sku)
            place = await warehouses.by_code(connection, warehouse_code)
            known = await levels.of_skus(connection, [sku])
            if warehouse_code or not known:
                await levels.locked_or_made(connection, [(sku, place.id)])
            keys = [(sku, level.warehouse_id) for level in known if not warehouse_code] or [(sku, place.id)]
            found = await levels.locked(connection, keys)
            await apply(connection, [change(level, policy=policy) for level in found.values()])
            if not warehouse_code:
                await connection.run(_SET_POLICY, {"sku": sku, **_columns(policy)})
            warehouse_id = place.id if warehouse_code else ""
            await tell(connection, sku, lambda sequence: stock_policy_set(sku, warehouse_id, policy, sequence))

    @asynccontextmanager
    async def _once(self, request: Request | None) -> AsyncIterator[Connection | None]:
        """Open a transaction for a request; None when it was done before."""
        try:
            async with self._database.transaction() as connection:
                yield connection if await first_time(connection, request) else None
        except UniqueViolation as taken:
            # By a release that noted requests in the ledger only.
            if taken.diag.constraint_name != "stock_movements_receipts" or request is None:
                raise
            raise RequestIdReused(request.id) from None


async def _one(connection: Connection, sku: str, warehouse: Warehouse) -> Change:
    return (await levels.locked_or_made(connection, [(sku, warehouse.id)]))[sku, warehouse.id]


async def _there(connection: Connection, sku: str, warehouse: Warehouse) -> Change:
    found = await levels.locked(connection, [(sku, warehouse.id)])
    if not found:
        raise StockNotFound(sku, warehouse.code)
    return Change(level := found[sku, warehouse.id], level)


def _more(begun: Change, on_hand: int) -> Change:
    """Add units to what a change has made of a level so far."""
    return replace(change(begun.after, on_hand=on_hand), before=begun.before)


def _columns(policy: Policy) -> dict[str, int | None]:
    return {
        "safety_stock": policy.safety_stock,
        "backorder_limit": policy.backorder_limit,
        "low_stock_threshold": policy.low_stock_threshold,
    }
