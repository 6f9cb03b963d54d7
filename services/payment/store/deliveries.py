"""Notifications of gateways as they were delivered: stored once for each event, then taken up by whoever is free."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from services.common.database import Database, Row
from services.common.ids import new_id
from services.payment.adapters.gateway import Delivery

_COLUMNS = "id::text, gateway, event_id, type, content, state, attempts, failure_reason, create_time, update_time"
_ADD = """
INSERT INTO webhook_deliveries (id, gateway, event_id, type, content)
VALUES (CAST(%(id)s AS uuid), %(gateway)s, %(event_id)s, %(type)s, %(content)s)
ON CONFLICT (gateway, event_id) DO NOTHING
"""
# A lease, not a lock held for as long as a gateway may take: whoever dies leaves it to the next after that.
_TAKE = f"""
UPDATE webhook_deliveries SET attempts = attempts + 1, next_attempt_time = now() + %(lease)s, update_time = now()
WHERE id IN (SELECT id FROM webhook_deliveries WHERE state = 'RECEIVED' AND next_attempt_time <= now()
             ORDER BY next_attempt_time LIMIT %(limit)s FOR UPDATE SKIP LOCKED)
RETURNING {_COLUMNS}
"""  # noqa: S608 - constants only
_FINISH = """
UPDATE webhook_deliveries SET state = %(state)s, failure_reason = %(reason)s, next_attempt_time = now() + %(pause)s,
    update_time = now()
WHERE id = CAST(%(id)s AS uuid) AND state = 'RECEIVED'
"""
_PAGE = f"""
SELECT {_COLUMNS} FROM webhook_deliveries
WHERE (CAST(%(gateway)s AS text) IS NULL OR gateway = %(gateway)s)
  AND (CAST(%(state)s AS text) IS NULL OR state = %(state)s)
  AND (CAST(%(after)s AS uuid) IS NULL OR id < CAST(%(after)s AS uuid))
ORDER BY id DESC LIMIT %(limit)s
"""  # noqa: S608 - constants only
_RETRY = f"""
UPDATE webhook_deliveries SET state = CASE state WHEN 'FAILED' THEN 'RECEIVED' ELSE state END,
    create_time = CASE state WHEN 'FAILED' THEN now() ELSE create_time END, next_attempt_time = now()
WHERE id = CAST(%(id)s AS uuid) RETURNING {_COLUMNS}
"""  # noqa: S608 - constants only


class DeliveryState(StrEnum):
    """What came of a delivery; the names are those of the contract."""

    RECEIVED = "RECEIVED"
    PROCESSED = "PROCESSED"
    IGNORED = "IGNORED"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True)
class StoredDelivery:
    """A delivery and what came of it."""

    id: str
    gateway: str
    event_id: str
    type: str
    content: bytes = field(repr=False)
    state: DeliveryState
    attempts: int
    failure_reason: str
    create_time: datetime
    update_time: datetime


class WebhookStore:
    """Deliveries of all gateways."""

    def __init__(self, database: Database) -> None:
        """`database`: of the payment service."""
        self._database = database

    async def add(self, gateway: str, deliveries: Sequence[Delivery]) -> int:
        """Commit all of them, or none; say how many were new."""
        async with self._database.transaction() as connection:
            new = 0
            for each in deliveries:
                values = {"id": new_id(), "gateway": gateway, "event_id": each.event_id, "type": each.type}
                new += await connection.run(_ADD, {**values, "content": each.content})
            return new

    async def take(self, lease: timedelta, limit: int) -> list[StoredDelivery]:
        """Take up deliveries that are due; nobody else does until the lease is over."""
        rows = await self._database.rows(_TAKE, {"lease": lease, "limit": limit})
        return sorted((_delivery(row) for row in rows), key=lambda each: each.id)

    async def finish(self, delivery: StoredDelivery, state: DeliveryState, reason: str, pause: timedelta) -> None:
        """Note what came of it; RECEIVED leaves it for later, after the pause."""
        await self._database.run(_FINISH, {"id": delivery.id, "state": state, "reason": reason, "pause": pause})

    async def page(self, filters: Mapping[str, str | None], after: str | None, limit: int) -> list[StoredDelivery]:
        """Read deliveries, newest first, that pass the filters gateway and state, where given."""
        rows = await self._database.rows(_PAGE, {**filters, "after": after, "limit": limit})
        return [_delivery(row) for row in rows]

    async def retry(self, delivery_id: str) -> StoredDelivery | None:
        """Make a failed delivery due again; any other stays as it is. None when there is none."""
        row = await self._database.row(_RETRY, {"id": delivery_id})
        return None if row is None else _delivery(row)

    async def forget(self, older_than: timedelta) -> int:
        """Delete what was finished so long ago that no gateway sends it again."""
        return await self._database.run(
            "DELETE FROM webhook_deliveries WHERE state IN ('PROCESSED', 'IGNORED') "
            "AND update_time < now() - %(older_than)s",
            {"older_than": older_than},
        )

    async def failed(self) -> int:
        """Count those that somebody has to look at."""
        row = await self._database.row("SELECT count(*) FROM webhook_deliveries WHERE state = 'FAILED'")
        return int(row[0])


def _delivery(row: Row) -> StoredDelivery:
    values = row._replace(state=DeliveryState(row.state), content=bytes(row.content))
    return StoredDelivery(*values)
