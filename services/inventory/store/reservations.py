"""Reservations: made in one statement where that can be, and settled in parts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from psycopg.errors import CheckViolation

from services.common import events
from services.common.database import Connection, Database, Values
from services.common.filters import where
from services.common.ids import new_id
from services.inventory.domain import reservation as rules
from services.inventory.domain.errors import CommitNotFound, OutOfStock, ReservationSettled
from services.inventory.domain.reservation import Allocation, Line, Moved, Reservation, State, Units
from services.inventory.domain.sourcing import Destination, Strategy, allocate
from services.inventory.domain.stock import Change, Level, MovementKind, change
from services.inventory.events import (
    backorder_changed,
    reservation_extended,
    stock_commit_reverted,
    stock_committed,
    stock_released,
    stock_reserved,
    stock_returned,
)
from services.inventory.store import levels, records, warehouses
from services.inventory.store.consequences import apply
from services.inventory.store.ledger import Entry, Request, book, first_time, shipped

_ADD = """
INSERT INTO reservations (id, order_id, state, expire_time, create_time, version)
VALUES (CAST(%(id)s AS uuid), CAST(%(order_id)s AS uuid), %(state)s, %(expire_time)s, %(create_time)s, 1)
ON CONFLICT (order_id) DO NOTHING RETURNING id
"""
_ADD_PARTS = """
INSERT INTO allocations (reservation_id, sku, warehouse_id, quantity, backordered)
SELECT CAST(%(id)s AS uuid), sku, warehouse_id, quantity, backordered
FROM unnest(CAST(%(skus)s AS text[]), CAST(%(warehouse_ids)s AS uuid[]), CAST(%(quantities)s AS integer[]),
            CAST(%(backordered)s AS integer[])) AS part (sku, warehouse_id, quantity, backordered)
"""
_REFUSE = "UPDATE reservations SET state = 'RELEASED', short = %(short)s WHERE id = CAST(%(id)s AS uuid)"
# All of a reservation at once: whoever is first for the order locks the levels in their order and takes from them. When
# one of them has less by now, more is asked of it than it has on hand, which the constraint that nothing is oversold
# refuses; and another one refuses to let it become low unnoticed. Either undoes it all.
_RESERVE = f"""
WITH held AS (
    SELECT * FROM unnest(
        (SELECT CAST(%(skus)s AS text[])), (SELECT CAST(%(warehouse_ids)s AS uuid[])),
        (SELECT CAST(%(quantities)s AS integer[]))
    ) AS held (sku, warehouse_id, quantity)
), claimed AS (
    INSERT INTO reservations (id, order_id, state, expire_time, create_time, version)
    VALUES (CAST(%(id)s AS uuid), CAST(%(order_id)s AS uuid), %(state)s, %(expire_time)s, %(create_time)s, 1)
    ON CONFLICT (order_id) DO NOTHING RETURNING id
), locked AS MATERIALIZED (
    SELECT l.sku, l.warehouse_id, held.quantity
    FROM claimed CROSS JOIN held JOIN stock_levels l ON l.sku = held.sku AND l.warehouse_id = held.warehouse_id
    ORDER BY l.sku, l.warehouse_id FOR UPDATE OF l
), level AS (
    UPDATE stock_levels l SET reserved = CASE WHEN l.on_hand - l.reserved - l.safety_stock >= locked.quantity
        THEN l.reserved + locked.quantity ELSE l.on_hand + 1 END
    FROM locked WHERE l.sku = locked.sku AND l.warehouse_id = locked.warehouse_id
), allocation AS (
    INSERT INTO allocations (reservation_id, sku, warehouse_id, quantity)
    SELECT claimed.id, held.sku, held.warehouse_id, held.quantity FROM claimed CROSS JOIN held
), event AS (
    {events.insert_from("claimed")}
)
SELECT count(*) FROM claimed
"""  # noqa: S608 - constants only
_PAGE = (
    records.SELECT + "WHERE r.id IN (SELECT id FROM reservations ",  # noqa: S608 - constants only
    "ORDER BY id DESC LIMIT %(limit)s) GROUP BY r.id ORDER BY r.id DESC",
)
_FILTERS = {
    "order_id": "order_id = CAST(%(order_id)s AS uuid)",
    "state": "state = %(state)s",
    "backordered": "id IN (SELECT reservation_id FROM allocations WHERE allocations.backordered > 0)",
    "after": "id < CAST(%(after)s AS uuid)",
}
_OVERDUE = """
UPDATE reservations SET lease_until = now() + %(lease)s WHERE id IN (
    SELECT id FROM reservations
    WHERE state = 'HELD' AND NOT firm AND expire_time < now() AND (lease_until IS NULL OR lease_until < now())
    ORDER BY expire_time LIMIT %(limit)s FOR UPDATE SKIP LOCKED
) RETURNING order_id::text
"""


@dataclass(frozen=True, slots=True)
class AskedLine:
    """Units of one SKU that something should happen to, in the warehouse of a code, or anywhere when it is empty."""

    sku: str
    quantity: int
    warehouse_code: str = ""


class ReservationStore:
    """Who units are held for."""

    def __init__(self, database: Database, reservation_ttl: timedelta, sourcing: Strategy = Strategy.PRIORITY) -> None:
        """`reservation_ttl`: how long a reservation is left alone; `sourcing`: where its units come from."""
        self._database = database
        self._ttl = reservation_ttl
        self._sourcing = sourcing

    async def reserve(
        self, order_id: str, wanted: Mapping[str, int], destination: Destination | None = None
    ) -> Reservation:
        """Hold the wanted units (by SKU) for the order, all or none; a refusal is recorded and given again.

        Raises OutOfStock, ReservationSettled.
        """
        now = datetime.now(UTC)
        claim = Reservation(new_id(), order_id, State.HELD, (), now + self._ttl, now)
        reservation = await self._reserve_at_once(claim, wanted, destination) or await self._reserve_by_steps(
            claim, wanted, destination
        )
        if reservation.short:
            raise OutOfStock(reservation.short)
        if reservation.state is State.RELEASED:
            raise ReservationSettled(order_id, reservation.state)
        return reservation

    async def reservation(self, order_id: str) -> Reservation | None:
        """Read the reservation of an order."""
        async with self._database.autocommit() as connection:
            return await records.of_order(connection, order_id)

    async def reservations(
        self, *, order_id: str | None, state: str | None, backordered: bool, after: str | None, limit: int
    ) -> list[Reservation]:
        """Read reservations, newest first, after the id of one."""
        values = {
            "order_id": order_id,
            "state": state,
            "backordered": backordered or None,
            "after": after,
            "limit": limit,
        }
        page = where(_FILTERS, values).join(_PAGE)
        return [records.from_row(row) for row in await self._database.rows(page, values)]

    async def release(
        self, order_id: str, lines: Sequence[AskedLine] = (), request: Request | None = None
    ) -> Reservation:
        """Give units of the order back, or all that are held, once for each request.

        All of an order without a reservation: leaves a released one, so that none can be made. Raises what the domain
        raises, ReservationNotFound, RequestIdReused.
        """
        now = datetime.now(UTC)
        tombstone = Reservation(new_id(), order_id, State.RELEASED, (), now, now)
        async with self._database.transaction() as connection:
            if not lines and await _claim(connection, tombstone):
                return tombstone
            if not await first_time(connection, request, order_id):
                return await records.existing(connection, order_id)
            held, found = await _locked(connection, order_id)
            moved = rules.release(held, await _resolved(connection, lines))
            if moved.units:
                await records.save(connection, [moved.reservation])
                await events.append(connection, stock_released(moved))
                await apply(connection, _leaving(found, moved.units, gone=False))
            return moved.reservation

    async def commit(
        self, order_id: str, lines: Sequence[AskedLine] = (), request: Request | None = None
    ) -> Reservation:
        """Book units of the order as gone, or all that are held, once for each request.

        Raises what the domain raises, ReservationNotFound, RequestIdReused.
        """
        async with self._database.transaction() as connection:
            if not await first_time(connection, request, order_id):
                return await records.existing(connection, order_id)
            held, found = await _locked(connection, order_id)
            moved = rules.commit(held, await _resolved(connection, lines))
            if moved.units:
                await records.save(connection, [moved.reservation])
                await _book(connection, moved, MovementKind.SHIPMENT, request)
                await events.append(connection, stock_committed(moved, request.id if request else ""))
                await apply(connection, _leaving(found, moved.units, gone=True))
            return moved.reservation

    async def revert(self, order_id: str, request: Request) -> Reservation:
        """Undo, once, the commit that was asked for with the request's id. Raises as commit does."""
        async with self._database.transaction() as connection:
            if not await first_time(connection, request, f"reverted {order_id}"):
                return await records.existing(connection, order_id)
            gone = await shipped(connection, order_id, request.id)
            if not gone:
                raise CommitNotFound(order_id, request.id)
            held, found = await _locked(connection, order_id)
            moved = rules.revert(held, gone)
            await records.save(connection, [moved.reservation])
            await _book(connection, moved, MovementKind.SHIPMENT_REVERSAL, request)
            await events.append(connection, stock_commit_reverted(moved, request.id))
            await apply(connection, [_held_again(found[each.sku, each.warehouse_id], each) for each in gone])
            return moved.reservation

    async def take_back(self, order_id: str, lines: Sequence[AskedLine], request: Request) -> Reservation:
        """Take units of the order that came back on hand, once for each request. Raises as commit does."""
        async with self._database.transaction() as connection:
            if not await first_time(connection, request, order_id):
                return await records.existing(connection, order_id)
            resolved = await _resolved(connection, lines)
            # Where units came back to is known only once they are: all levels they may go to are locked before.
            before = await records.existing(connection, order_id)
            found = await levels.locked_or_made(connection, _places(before, resolved))
            moved = rules.take_back(await records.existing(connection, order_id, lock=True), resolved)
            await records.save(connection, [moved.reservation])
            await _book(connection, moved, MovementKind.RETURN, request)
            await events.append(connection, stock_returned(moved, request.id))
            await apply(connection, [_coming(found[each.sku, each.warehouse_id], each) for each in moved.units])
            # What came back may be what the order itself was waiting for.
            return await records.existing(connection, order_id)

    async def extend(self, order_id: str, ttl: timedelta | None) -> Reservation:
        """Leave the reservation alone for so long from now on, at least; None: for good.

        Raises ReservationNotFound, ReservationSettled.
        """
        async with self._database.transaction() as connection:
            held = await records.existing(connection, order_id, lock=True)
            if held.state is not State.HELD:
                raise ReservationSettled(order_id, held.state)
            expire_time = held.expire_time if ttl is None else max(held.expire_time, datetime.now(UTC) + ttl)
            if held.firm or (ttl is not None and expire_time == held.expire_time):
                return held
            extended = replace(held, expire_time=expire_time, firm=ttl is None, version=held.version + 1)
            await records.save(connection, [extended])
            await events.append(connection, reservation_extended(extended))
            return extended

    async def claim_overdue(self, limit: int, lease: timedelta) -> list[str]:
        """Take the orders of overdue reservations for so long; no two workers get the same one."""
        return [row.order_id for row in await self._database.rows(_OVERDUE, {"limit": limit, "lease": lease})]

    async def _reserve_at_once(
        self, claim: Reservation, wanted: Mapping[str, int], destination: Destination | None
    ) -> Reservation | None:
        """Hold what seems to be there, in one statement; None, and nothing held, when that is not so."""
        try:
            async with self._database.autocommit() as connection:
                parts = self._allocate(wanted, await levels.of_skus(connection, sorted(wanted)), destination)
                if any(part.backordered for part in parts):
                    return None
                reservation = replace(claim, allocations=parts)
                told = events.parameters(stock_reserved(reservation))
                (claimed,) = await connection.row(_RESERVE, {**_claimed(reservation), **_parts(parts), **told})
        except (OutOfStock, CheckViolation):
            return None
        return reservation if claimed else None

    async def _reserve_by_steps(
        self, claim: Reservation, wanted: Mapping[str, int], destination: Destination | None
    ) -> Reservation:
        """Decide under the locks, and record the refusal; or find the reservation that is there already."""
        async with self._database.transaction() as connection:
            if not await _claim(connection, claim):
                return await records.existing(connection, claim.order_id)
            found = await levels.of_skus(connection, sorted(wanted), lock=True)
            try:
                parts = self._allocate(wanted, found, destination)
            except OutOfStock as refusal:
                return await _refuse(connection, claim, refusal.metadata["skus"].split(","))
            return await _hold(connection, replace(claim, allocations=parts), found)

    def _allocate(
        self, wanted: Mapping[str, int], found: Sequence[Level], destination: Destination | None
    ) -> tuple[Allocation, ...]:
        return allocate(wanted, found, self._sourcing, destination)


async def _claim(connection: Connection, reservation: Reservation) -> bool:
    """Insert the order's one reservation. False when there is one; waits for whoever is inserting it."""
    return await connection.row(_ADD, _claimed(reservation)) is not None


async def _hold(connection: Connection, reservation: Reservation, found: Sequence[Level]) -> Reservation:
    await connection.run(_ADD_PARTS, {"id": reservation.id, **_parts(reservation.allocations)})
    await events.append(connection, stock_reserved(reservation))
    waiting = [
        Units(part.sku, part.warehouse_id, part.backordered) for part in reservation.allocations if part.backordered
    ]
    if waiting:
        reservation = replace(reservation, version=reservation.version + 1)
        await records.save(connection, [reservation])
        await events.append(connection, backorder_changed(reservation, waiting))
    by_key = {(level.sku, level.warehouse_id): level for level in found}
    await apply(
        connection,
        [
            change(by_key[part.sku, part.warehouse_id], reserved=part.held, backordered=part.backordered)
            for part in reservation.allocations
        ],
    )
    return reservation


async def _refuse(connection: Connection, claim: Reservation, short: Sequence[str]) -> Reservation:
    await connection.run(_REFUSE, {"id": claim.id, "short": list(short)})
    return replace(claim, state=State.RELEASED, short=tuple(short))


async def _locked(connection: Connection, order_id: str) -> tuple[Reservation, dict[levels.Key, Level]]:
    """Lock the levels that an order has units of, then its reservation. Raises ReservationNotFound."""
    seen = await records.existing(connection, order_id)
    found = await levels.locked(connection, records.keys_of(seen))
    return await records.existing(connection, order_id, lock=True), found


async def _resolved(connection: Connection, lines: Sequence[AskedLine]) -> list[Line]:
    """Find the warehouses that lines name; those lines come first, for the others to take what is left."""
    ids = await warehouses.ids_by_code(connection, sorted({line.warehouse_code for line in lines} - {""}))
    named = sorted(lines, key=lambda line: not line.warehouse_code)
    return [Line(line.sku, line.quantity, ids.get(line.warehouse_code)) for line in named]


def _places(reservation: Reservation, lines: Sequence[Line]) -> list[levels.Key]:
    named = {(line.sku, line.warehouse_id) for line in lines if line.warehouse_id}
    return sorted(named | {key for key in records.keys_of(reservation) if key[0] in {line.sku for line in lines}})


def _leaving(found: Mapping[levels.Key, Level], units: Sequence[Units], *, gone: bool) -> list[Change]:
    """Take units off what is held at their levels, and off what is on hand when they are `gone`."""
    return [
        change(
            found[each.sku, each.warehouse_id],
            on_hand=-each.quantity if gone else 0,
            reserved=each.backordered - each.quantity,
            backordered=-each.backordered,
        )
        for each in units
    ]


def _held_again(level: Level, units: Units) -> Change:
    return change(level, on_hand=units.quantity, reserved=units.quantity)


def _coming(begun: Change, units: Units) -> Change:
    return replace(change(begun.after, on_hand=units.quantity), before=begun.before)


async def _book(connection: Connection, moved: Moved, kind: MovementKind, request: Request | None) -> None:
    sign = -1 if kind is MovementKind.SHIPMENT else 1
    entries = [Entry(each.sku, each.warehouse_id, sign * each.quantity, kind) for each in moved.units]
    await book(connection, entries, request, order_id=moved.reservation.order_id)


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
        "backordered": [part.backordered for part in allocations],
    }
