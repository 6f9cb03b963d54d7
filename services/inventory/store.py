"""All SQL of the inventory service.

Whoever changes levels locks them first, in the order (SKU, warehouse): so no two transactions wait for each other, and
what was read under the lock is what is written.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from psycopg import IntegrityError
from psycopg.errors import CheckViolation

from services.common import events, paging
from services.common.database import Connection, Database, Values
from services.common.ids import new_id
from services.inventory.domain import (
    Allocation,
    Level,
    OutOfStock,
    RequestIdReused,
    Reservation,
    ReservationNotFound,
    ReservationSettled,
    State,
    Warehouse,
    WarehouseCodeTaken,
    WarehouseNotFound,
    allocate,
)
from services.inventory.events import reservation_moved, stock_received

_LEVELS = """
SELECT l.sku, l.warehouse_id::text, w.code AS warehouse_code, w.priority, l.on_hand, l.reserved
FROM stock_levels l JOIN warehouses w ON w.id = l.warehouse_id
WHERE l.sku = ANY(%(skus)s) ORDER BY l.sku, l.warehouse_id
"""
_RESERVATION = """
SELECT r.id::text, r.order_id::text, r.state, r.expire_time, r.create_time, r.version, r.short,
       coalesce(array_agg(a.sku ORDER BY a.sku, a.warehouse_id) FILTER (WHERE a.sku IS NOT NULL), '{}') AS skus,
       coalesce(array_agg(a.warehouse_id::text ORDER BY a.sku, a.warehouse_id) FILTER (WHERE a.sku IS NOT NULL), '{}')
           AS warehouse_ids,
       coalesce(array_agg(a.quantity ORDER BY a.sku, a.warehouse_id) FILTER (WHERE a.sku IS NOT NULL), '{}')
           AS quantities
FROM reservations r LEFT JOIN allocations a ON a.reservation_id = r.id
WHERE r.order_id = CAST(%(order_id)s AS uuid) GROUP BY r.id
"""
_ADD_RESERVATION = """
INSERT INTO reservations (id, order_id, state, expire_time, create_time, version)
VALUES (CAST(%(id)s AS uuid), CAST(%(order_id)s AS uuid), %(state)s, %(expire_time)s, %(create_time)s, 1)
ON CONFLICT (order_id) DO NOTHING RETURNING id
"""
_LOCK_RESERVATION = "SELECT id FROM reservations WHERE order_id = CAST(%(order_id)s AS uuid) FOR UPDATE"
_HOLD = """
WITH held AS (
    SELECT * FROM unnest(CAST(%(skus)s AS text[]), CAST(%(warehouse_ids)s AS uuid[]), CAST(%(quantities)s AS integer[]))
        AS held (sku, warehouse_id, quantity)
), level AS (
    UPDATE stock_levels l SET reserved = l.reserved + held.quantity
    FROM held WHERE l.sku = held.sku AND l.warehouse_id = held.warehouse_id
)
INSERT INTO allocations (reservation_id, sku, warehouse_id, quantity)
SELECT CAST(%(id)s AS uuid), sku, warehouse_id, quantity FROM held
"""
# All of a reservation at once: whoever is first for the order locks the levels in their order and takes from them. When
# one of them has less by now, the constraint that nothing is oversold undoes it all.
_RESERVE = f"""
WITH held AS (
    SELECT * FROM unnest(CAST(%(skus)s AS text[]), CAST(%(warehouse_ids)s AS uuid[]), CAST(%(quantities)s AS integer[]))
        AS held (sku, warehouse_id, quantity)
), claimed AS (
    INSERT INTO reservations (id, order_id, state, expire_time, create_time, version)
    VALUES (CAST(%(id)s AS uuid), CAST(%(order_id)s AS uuid), %(state)s, %(expire_time)s, %(create_time)s, 1)
    ON CONFLICT (order_id) DO NOTHING RETURNING id
), locked AS MATERIALIZED (
    SELECT l.sku, l.warehouse_id, held.quantity
    FROM claimed CROSS JOIN held JOIN stock_levels l ON l.sku = held.sku AND l.warehouse_id = held.warehouse_id
    ORDER BY l.sku, l.warehouse_id FOR UPDATE OF l
), level AS (
    UPDATE stock_levels l SET reserved = l.reserved + locked.quantity
    FROM locked WHERE l.sku = locked.sku AND l.warehouse_id = locked.warehouse_id
), allocation AS (
    INSERT INTO allocations (reservation_id, sku, warehouse_id, quantity)
    SELECT claimed.id, held.sku, held.warehouse_id, held.quantity FROM claimed CROSS JOIN held
), event AS (
    {events.insert_from("claimed")}
)
SELECT count(*) FROM claimed
"""  # noqa: S608 - constants only
_SETTLE = """
UPDATE reservations SET state = %(state)s, version = version + 1 WHERE order_id = CAST(%(order_id)s AS uuid)
"""
_UNHOLD = """
UPDATE stock_levels l SET reserved = l.reserved - a.quantity, on_hand = l.on_hand - (a.quantity * %(leaves)s)
FROM allocations a WHERE a.reservation_id = CAST(%(id)s AS uuid) AND l.sku = a.sku AND l.warehouse_id = a.warehouse_id
"""
_BOOK_DEPARTURE = """
INSERT INTO stock_movements (sku, warehouse_id, quantity, kind, reference)
SELECT sku, warehouse_id, -quantity, 'SHIPMENT', %(order_id)s FROM allocations
WHERE reservation_id = CAST(%(id)s AS uuid)
"""
_RECEIVE = """
WITH item AS (
    INSERT INTO stock_items (sku, sequence) VALUES (%(sku)s, 1)
    ON CONFLICT (sku) DO UPDATE SET sequence = stock_items.sequence + 1 RETURNING sequence
), movement AS (
    INSERT INTO stock_movements (sku, warehouse_id, quantity, kind, request_id)
    VALUES (%(sku)s, CAST(%(warehouse_id)s AS uuid), %(quantity)s, 'RECEIPT', %(request_id)s)
), level AS (
    INSERT INTO stock_levels (sku, warehouse_id, on_hand, reserved)
    VALUES (%(sku)s, CAST(%(warehouse_id)s AS uuid), %(quantity)s, 0)
    ON CONFLICT (sku, warehouse_id) DO UPDATE SET on_hand = stock_levels.on_hand + excluded.on_hand
    RETURNING on_hand, reserved
)
SELECT item.sequence, level.on_hand, level.reserved FROM item, level
"""
_BOOKED = """
SELECT m.sku, m.quantity, w.code FROM stock_movements m JOIN warehouses w ON w.id = m.warehouse_id
WHERE m.request_id = %(request_id)s
"""
_WAREHOUSE = """
SELECT id::text, code, display_name, priority FROM warehouses
WHERE %(code)s = '' OR code = %(code)s ORDER BY priority, code LIMIT 1
"""
_WAREHOUSES = """
SELECT id::text, code, display_name, priority FROM warehouses
WHERE (priority, code) > (%(priority)s, %(code)s) ORDER BY priority, code LIMIT %(limit)s
"""


class InventoryStore:
    """Levels, reservations and the ledger of movements, whose sum is what is on hand."""

    def __init__(self, database: Database, reservation_ttl: timedelta) -> None:
        """`reservation_ttl`: how long a reservation holds unless it is committed or released."""
        self._database = database
        self._ttl = reservation_ttl

    async def add_warehouse(self, code: str, display_name: str, priority: int) -> Warehouse:
        """Add a warehouse. Raises WarehouseCodeTaken."""
        warehouse = Warehouse(new_id(), code, display_name, priority)
        added = await self._database.run(
            "INSERT INTO warehouses (id, code, display_name, priority) "
            "VALUES (CAST(%(id)s AS uuid), %(code)s, %(display_name)s, %(priority)s) ON CONFLICT (code) DO NOTHING",
            {"id": warehouse.id, "code": code, "display_name": display_name, "priority": priority},
        )
        if not added:
            raise WarehouseCodeTaken(code)
        return warehouse

    async def warehouses(self, after: str | None, limit: int) -> list[Warehouse]:
        """Read warehouses by priority and code, after the cursor `<priority>/<code>`."""
        priority, _, code = (after or "-1/").partition("/")
        values = {"priority": paging.number(priority), "code": code, "limit": limit}
        return [Warehouse(*row) for row in await self._database.rows(_WAREHOUSES, values)]

    async def levels(self, skus: Sequence[str]) -> list[Level]:
        """Read the levels of the SKUs; none for a SKU that was never received."""
        async with self._database.autocommit() as connection:
            return await _levels(connection, skus)

    async def receive(self, sku: str, quantity: int, warehouse_code: str, request_id: str | None) -> None:
        """Book units that arrived, once for each request id. Raises WarehouseNotFound, RequestIdReused."""
        try:
            async with self._database.transaction() as connection:
                warehouse = await _warehouse(connection, warehouse_code)
                row = await connection.row(
                    _RECEIVE,
                    {"sku": sku, "warehouse_id": warehouse.id, "quantity": quantity, "request_id": request_id},
                )
                level = Level(sku, warehouse.id, warehouse.code, warehouse.priority, row.on_hand, row.reserved)
                await events.append(connection, stock_received(level, quantity, row.sequence))
        except IntegrityError:
            if request_id is None:
                raise
            await self._check_repeated(request_id, sku, quantity, warehouse_code)

    async def reserve(self, order_id: str, wanted: Mapping[str, int]) -> Reservation:
        """Hold the wanted units (by SKU) for the order, all or none; a refusal is recorded and given again.

        Raises OutOfStock, ReservationSettled.
        """
        now = datetime.now(UTC)
        claim = Reservation(new_id(), order_id, State.HELD, (), now + self._ttl, now)
        reservation = await self._reserve_at_once(claim, wanted) or await self._reserve_by_steps(claim, wanted)
        if reservation.short:
            raise OutOfStock(reservation.short)
        if reservation.state is State.RELEASED:
            raise ReservationSettled(order_id, reservation.state)
        return reservation

    async def reservation(self, order_id: str) -> Reservation | None:
        """Read the reservation of an order."""
        async with self._database.autocommit() as connection:
            return await _reservation(connection, order_id)

    async def release(self, order_id: str) -> Reservation:
        """Give the order's stock back; without a reservation, leave a released one so that none can be made.

        Raises ReservationSettled when the stock has left.
        """
        now = datetime.now(UTC)
        tombstone = Reservation(new_id(), order_id, State.RELEASED, (), now, now)
        async with self._database.transaction() as connection:
            if await _claim(connection, tombstone):
                return tombstone
            return await _settle(connection, order_id, State.RELEASED)

    async def commit(self, order_id: str) -> Reservation:
        """Book the order's stock as gone. Raises ReservationNotFound, ReservationSettled."""
        async with self._database.transaction() as connection:
            return await _settle(connection, order_id, State.COMMITTED)

    async def _reserve_at_once(self, claim: Reservation, wanted: Mapping[str, int]) -> Reservation | None:
        """Hold what seems to be there, in one statement; None, and nothing held, when that is not so."""
        try:
            reservation = replace(claim, allocations=allocate(wanted, await self.levels(sorted(wanted))))
            values = {
                **_claimed(reservation),
                **_parts(reservation.allocations),
                **events.parameters(reservation_moved(reservation)),
            }
            (claimed,) = await self._database.row(_RESERVE, values)
        except (OutOfStock, CheckViolation):
            return None
        return reservation if claimed else None

    async def _reserve_by_steps(self, claim: Reservation, wanted: Mapping[str, int]) -> Reservation:
        """Decide under the locks, and record the refusal; or find the reservation that is there already."""
        async with self._database.transaction() as connection:
            if await _claim(connection, claim):
                return await _hold(connection, claim, wanted)
            return await _existing(connection, claim.order_id)

    async def _check_repeated(self, request_id: str, sku: str, quantity: int, warehouse_code: str) -> None:
        booked = await self._database.row(_BOOKED, {"request_id": request_id})
        # A request that named no warehouse got the first one, which may be another by now.
        if (booked.sku, booked.quantity, warehouse_code or booked.code) != (sku, quantity, booked.code):
            raise RequestIdReused(request_id)


async def _levels(connection: Connection, skus: Sequence[str], lock: str = "") -> list[Level]:
    return [Level(*row) for row in await connection.rows(_LEVELS + lock, {"skus": list(skus)})]


async def _warehouse(connection: Connection, code: str) -> Warehouse:
    row = await connection.row(_WAREHOUSE, {"code": code})
    if row is None:
        raise WarehouseNotFound(code)
    return Warehouse(*row)


async def _claim(connection: Connection, reservation: Reservation) -> bool:
    """Insert the order's one reservation. False when there is one; waits for whoever is inserting it."""
    return await connection.row(_ADD_RESERVATION, _claimed(reservation)) is not None


async def _hold(connection: Connection, claim: Reservation, wanted: Mapping[str, int]) -> Reservation:
    try:
        allocations = allocate(wanted, await _levels(connection, sorted(wanted), "FOR UPDATE OF l"))
    except OutOfStock as refusal:
        return await _refuse(connection, claim, refusal.metadata["skus"].split(","))
    await connection.execute(_HOLD, {"id": claim.id, **_parts(allocations)})
    reservation = replace(claim, allocations=allocations)
    await events.append(connection, reservation_moved(reservation))
    return reservation


async def _refuse(connection: Connection, claim: Reservation, short: Sequence[str]) -> Reservation:
    await connection.execute(
        "UPDATE reservations SET state = 'RELEASED', short = %(short)s WHERE id = CAST(%(id)s AS uuid)",
        {"id": claim.id, "short": list(short)},
    )
    return replace(claim, state=State.RELEASED, short=tuple(short))


async def _reservation(connection: Connection, order_id: str) -> Reservation | None:
    row = await connection.row(_RESERVATION, {"order_id": order_id})
    if row is None:
        return None
    parts = zip(row.skus, row.warehouse_ids, row.quantities, strict=True)
    return Reservation(
        id=row.id,
        order_id=row.order_id,
        state=State(row.state),
        allocations=tuple(Allocation(*part) for part in parts),
        expire_time=row.expire_time,
        create_time=row.create_time,
        version=row.version,
        short=tuple(row.short),
    )


async def _existing(connection: Connection, order_id: str) -> Reservation:
    reservation = await _reservation(connection, order_id)
    if reservation is None:
        raise ReservationNotFound(order_id)
    return reservation


async def _settle(connection: Connection, order_id: str, target: State) -> Reservation:
    await connection.execute(_LOCK_RESERVATION, {"order_id": order_id})
    held = await _existing(connection, order_id)
    if held.state is target:
        return held
    if held.state is not State.HELD:
        raise ReservationSettled(order_id, held.state)
    settled = replace(held, state=target, version=held.version + 1)
    await _levels(connection, sorted({part.sku for part in held.allocations}), "FOR UPDATE OF l")
    await connection.execute(_SETTLE, {"order_id": order_id, "state": target})
    await connection.execute(_UNHOLD, {"id": held.id, "leaves": int(target is State.COMMITTED)})
    if target is State.COMMITTED:
        await connection.execute(_BOOK_DEPARTURE, {"id": held.id, "order_id": order_id})
    await events.append(connection, reservation_moved(settled))
    return settled


def _claimed(reservation: Reservation) -> Values:
    return {
        "id": reservation.id,
        "order_id": reservation.order_id,
        "state": reservation.state,
        "expire_time": reservation.expire_time,
        "create_time": reservation.create_time,
    }


def _parts(allocations: Sequence[Allocation]) -> Values:
    return {
        "skus": [part.sku for part in allocations],
        "warehouse_ids": [part.warehouse_id for part in allocations],
        "quantities": [part.quantity for part in allocations],
    }
