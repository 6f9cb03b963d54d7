"""What was done with stock: the append-only ledger of movements, and the requests that asked for it."""

from collections.abc import Sequence
from dataclasses import dataclass

from mesh import context
from services.common.database import Connection
from services.inventory.domain.errors import RequestIdReused
from services.inventory.domain.reservation import Units
from services.inventory.domain.stock import MovementKind

_BOOK = """
INSERT INTO stock_movements (sku, warehouse_id, quantity, kind, reason, note, reference, actor, request_id)
SELECT sku, warehouse_id, quantity, kind, %(reason)s, %(note)s, %(order_id)s, %(actor)s, %(request_id)s
FROM unnest(CAST(%(skus)s AS text[]), CAST(%(warehouse_ids)s AS uuid[]), CAST(%(quantities)s AS bigint[]),
            CAST(%(kinds)s AS text[])) AS entry (sku, warehouse_id, quantity, kind)
"""
_SHIPPED = """
SELECT sku, warehouse_id::text, -quantity AS quantity FROM stock_movements
WHERE reference = %(order_id)s AND request_id = %(request_id)s AND kind = 'SHIPMENT' ORDER BY sku, warehouse_id
"""
_ONCE = """
INSERT INTO stock_requests (scope, request_id, fingerprint) VALUES (%(scope)s, %(request_id)s, %(fingerprint)s)
ON CONFLICT (scope, request_id) DO NOTHING RETURNING request_id
"""
_EARLIER = "SELECT fingerprint FROM stock_requests WHERE scope = %(scope)s AND request_id = %(request_id)s"


@dataclass(frozen=True, slots=True)
class Request:
    """What tells a request that is repeated from one that is new: its caller's id for it, and what it asks for."""

    id: str
    fingerprint: bytes = b""


@dataclass(frozen=True, slots=True)
class Remark:
    """What whoever caused a movement says of it; `reason` is that of an adjustment."""

    reason: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """Units that came (positive) or went."""

    sku: str
    warehouse_id: str
    quantity: int
    kind: MovementKind


NOTHING_SAID = Remark()


async def first_time(connection: Connection, request: Request | None, scope: str = "") -> bool:
    """Note a request; False when it was noted before. Waits for one that is being worked on. Raises RequestIdReused.

    One without an id is a new one each time.
    """
    if request is None:
        return True
    values = {"scope": scope, "request_id": request.id, "fingerprint": request.fingerprint}
    if await connection.row(_ONCE, values) is not None:
        return True
    earlier = await connection.row(_EARLIER, values)
    if bytes(earlier.fingerprint) != request.fingerprint:
        raise RequestIdReused(request.id)
    return False


async def book(
    connection: Connection,
    entries: Sequence[Entry],
    request: Request | None,
    remark: Remark = NOTHING_SAID,
    order_id: str | None = None,
) -> None:
    """Add entries to the ledger, in the name of whoever is being served."""
    await connection.run(
        _BOOK,
        {
            "skus": [entry.sku for entry in entries],
            "warehouse_ids": [entry.warehouse_id for entry in entries],
            "quantities": [entry.quantity for entry in entries],
            "kinds": [entry.kind for entry in entries],
            "reason": remark.reason,
            "note": remark.note,
            "order_id": order_id,
            "actor": context.current().caller.actor,
            "request_id": request and request.id,
        },
    )


async def shipped(connection: Connection, order_id: str, request_id: str) -> list[Units]:
    """Read which units were booked as gone for an order, by a request."""
    found = await connection.rows(_SHIPPED, {"order_id": order_id, "request_id": request_id})
    return [Units(row.sku, row.warehouse_id, row.quantity) for row in found]
