"""Reading and writing reservations with their allocations."""

from collections.abc import Sequence

from services.common.database import Connection, Row, Values
from services.inventory.domain.errors import ReservationNotFound
from services.inventory.domain.reservation import Allocation, Reservation, State
from services.inventory.store import levels

_NUMBERS = ("quantity", "backordered", "committed", "released", "returned")
_AGGREGATES = ", ".join(
    f"coalesce(array_agg(a.{column} ORDER BY a.sku, a.warehouse_id) FILTER (WHERE a.sku IS NOT NULL), '{{}}') AS {name}"
    for column, name in [
        ("sku", "skus"),
        ("warehouse_id::text", "warehouse_ids"),
        *zip(_NUMBERS, _NUMBERS, strict=True),
    ]
)
SELECT = f"""
SELECT r.id::text, r.order_id::text, r.state, r.expire_time, r.create_time, r.version, r.short, r.firm, {_AGGREGATES}
FROM reservations r LEFT JOIN allocations a ON a.reservation_id = r.id
"""  # noqa: S608 - constants only
_OF_ORDER = SELECT + "WHERE r.order_id = CAST(%(order_id)s AS uuid) GROUP BY r.id"
_BY_ID = SELECT + "WHERE r.id = ANY(CAST(%(ids)s AS uuid[])) GROUP BY r.id ORDER BY r.id"
_LOCK = "SELECT id FROM reservations WHERE order_id = CAST(%(order_id)s AS uuid) FOR UPDATE"
_LOCK_BY_ID = "SELECT id FROM reservations WHERE id = ANY(CAST(%(ids)s AS uuid[])) ORDER BY id FOR UPDATE"
_SAVE = """
WITH part AS (
    UPDATE allocations a SET backordered = n.backordered, committed = n.committed, released = n.released,
        returned = n.returned
    FROM unnest(
        CAST(%(part_ids)s AS uuid[]), CAST(%(skus)s AS text[]), CAST(%(warehouse_ids)s AS uuid[]),
        CAST(%(backordered)s AS integer[]), CAST(%(committed)s AS integer[]), CAST(%(released)s AS integer[]),
        CAST(%(returned)s AS integer[])
    ) AS n (id, sku, warehouse_id, backordered, committed, released, returned)
    WHERE a.reservation_id = n.id AND a.sku = n.sku AND a.warehouse_id = n.warehouse_id
)
UPDATE reservations r SET state = n.state, version = n.version, expire_time = n.expire_time, firm = n.firm
FROM unnest(
    CAST(%(ids)s AS uuid[]), CAST(%(states)s AS text[]), CAST(%(versions)s AS bigint[]),
    CAST(%(expire_times)s AS timestamptz[]), CAST(%(firm)s AS boolean[])
) AS n (id, state, version, expire_time, firm)
WHERE r.id = n.id
"""


async def of_order(connection: Connection, order_id: str) -> Reservation | None:
    """Read the reservation of an order."""
    row = await connection.row(_OF_ORDER, {"order_id": order_id})
    return None if row is None else from_row(row)


async def existing(connection: Connection, order_id: str, *, lock: bool = False) -> Reservation:
    """Read the reservation of an order, locked on demand. Raises ReservationNotFound."""
    if lock:
        await connection.run(_LOCK, {"order_id": order_id})
    reservation = await of_order(connection, order_id)
    if reservation is None:
        raise ReservationNotFound(order_id)
    return reservation


async def locked_by_id(connection: Connection, ids: Sequence[str]) -> dict[str, Reservation]:
    """Lock and read reservations, by their ids."""
    await connection.run(_LOCK_BY_ID, {"ids": list(ids)})
    return {row.id: from_row(row) for row in await connection.rows(_BY_ID, {"ids": list(ids)})}


def keys_of(reservation: Reservation) -> list[levels.Key]:
    """Name the levels that a reservation's units are of: they never change."""
    return [(part.sku, part.warehouse_id) for part in reservation.allocations]


async def save(connection: Connection, reservations: Sequence[Reservation]) -> None:
    """Write locked reservations, and their allocations."""
    await connection.run(_SAVE, _values(reservations))


def from_row(row: Row) -> Reservation:
    """Make a reservation of a row of SELECT."""
    columns = (row.skus, row.warehouse_ids, *(getattr(row, name) for name in _NUMBERS))
    return Reservation(
        id=row.id,
        order_id=row.order_id,
        state=State(row.state),
        allocations=tuple(Allocation(*part) for part in zip(*columns, strict=True)),
        expire_time=row.expire_time,
        create_time=row.create_time,
        version=row.version,
        short=tuple(row.short),
        firm=row.firm,
    )


def _values(reservations: Sequence[Reservation]) -> Values:
    parts = [(each.id, part) for each in reservations for part in each.allocations]
    return {
        "ids": [each.id for each in reservations],
        "states": [each.state for each in reservations],
        "versions": [each.version for each in reservations],
        "expire_times": [each.expire_time for each in reservations],
        "firm": [each.firm for each in reservations],
        "part_ids": [reservation_id for reservation_id, _ in parts],
        "skus": [part.sku for _, part in parts],
        "warehouse_ids": [part.warehouse_id for _, part in parts],
        "backordered": [part.backordered for _, part in parts],
        "committed": [part.committed for _, part in parts],
        "released": [part.released for _, part in parts],
        "returned": [part.returned for _, part in parts],
    }
