"""All SQL of the notification service. A notification's outcome and its event are one commit."""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text
from sqlalchemy.engine import Row
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from services.common import events
from services.common.database import Database
from services.notification.domain import (
    Attempt,
    Channel,
    Notification,
    NotificationNotFound,
    Origin,
    State,
    Template,
)
from services.notification.events import event_of

_ADD = text("""
INSERT INTO notifications (id, order_id, customer_id, channel, template, content, state, version, request_id,
                           traceparent, due_time, create_time, update_time)
VALUES (CAST(:id AS uuid), CAST(:order_id AS uuid), CAST(:customer_id AS uuid), :channel, :template,
        CAST(:content AS jsonb), :state, :version, :request_id, :traceparent, :due_time, :create_time, :update_time)
ON CONFLICT (id) DO NOTHING
""")
_SAVE = text("""
WITH saved AS (
    UPDATE notifications SET state = :state, version = :version, due_time = :due_time, update_time = :update_time
    WHERE id = CAST(:id AS uuid) AND state = 'PENDING'
    RETURNING id
)
INSERT INTO delivery_attempts (notification_id, number, delivered, detail, attempt_time)
SELECT id, :number, :delivered, :detail, :attempt_time FROM saved
RETURNING notification_id
""")
_NOTIFICATION = """
SELECT n.id::text, n.order_id::text, n.customer_id::text, n.channel, n.template, n.content, n.state, n.version,
       n.request_id, n.traceparent, n.due_time, n.create_time, n.update_time, coalesce(a.attempts, '[]') AS attempts
FROM notifications n CROSS JOIN LATERAL (
    SELECT json_agg(json_build_array(number, delivered, detail, attempt_time) ORDER BY number) AS attempts
    FROM delivery_attempts WHERE notification_id = n.id
) a
"""
_GET = text(f"{_NOTIFICATION} WHERE n.id = CAST(:id AS uuid)")
_PAGE = text(f"""{_NOTIFICATION}
WHERE (CAST(:owner AS uuid) IS NULL OR n.customer_id = CAST(:owner AS uuid))
  AND (CAST(:order_id AS uuid) IS NULL OR n.order_id = CAST(:order_id AS uuid))
  AND (CAST(:after AS uuid) IS NULL OR n.id < CAST(:after AS uuid))
ORDER BY n.id DESC LIMIT :limit
""")
# Materialized: a subquery that the planner runs again for each row would lock other rows each time.
_CLAIM = text("""
WITH due AS MATERIALIZED (
    SELECT id FROM notifications WHERE due_time <= now() ORDER BY due_time LIMIT :limit FOR UPDATE SKIP LOCKED
)
UPDATE notifications SET due_time = now() + :lease FROM due WHERE notifications.id = due.id RETURNING notifications.id
""")
_CLAIMED = text(f"{_NOTIFICATION} WHERE n.id = ANY(CAST(:ids AS uuid[])) ORDER BY n.id")


class NotificationStore:
    """Notifications and the attempts to deliver them."""

    def __init__(self, database: Database) -> None:
        """`database`: of the notification service."""
        self._database = database

    async def add(self, connection: AsyncConnection, notification: Notification) -> None:
        """Insert it in the transaction of the event that causes it; nothing when it is there already."""
        await connection.execute(_ADD, _columns(notification))

    async def claim(self, limit: int, lease: timedelta) -> list[Notification]:
        """Take what is due; until the lease ends nobody else gets the same, and nothing of it is locked."""
        async with self._database.transaction() as connection:
            claimed = await connection.execute(_CLAIM, {"limit": limit, "lease": lease})
            ids = [row.id for row in claimed]
            if not ids:
                return []
            return [_notification(row) for row in await connection.execute(_CLAIMED, {"ids": ids})]

    async def save(self, notification: Notification) -> bool:
        """Commit its last attempt, and its event if that ended it. False when another process was quicker."""
        attempt = notification.attempts[-1]
        parameters = {
            **_columns(notification),
            "number": attempt.number,
            "delivered": attempt.delivered,
            "detail": attempt.detail,
            "attempt_time": attempt.time,
        }
        try:
            async with self._database.transaction() as connection:
                if (await connection.execute(_SAVE, parameters)).first() is None:
                    return False
                if notification.state is not State.PENDING:
                    await events.append(connection, event_of(notification))
                return True
        except IntegrityError:
            # Its lease had ended, and somebody else recorded an attempt of this number.
            return False

    async def get(self, notification_id: str) -> Notification:
        """Read a notification. Raises NotificationNotFound."""
        async with self._database.autocommit() as connection:
            row = (await connection.execute(_GET, {"id": notification_id})).first()
        if row is None:
            raise NotificationNotFound(notification_id)
        return _notification(row)

    async def page(self, filters: Mapping[str, str | None], after: str | None, limit: int) -> list[Notification]:
        """Read notifications, newest first, that pass the filters owner and order_id, where given."""
        async with self._database.autocommit() as connection:
            rows = await connection.execute(_PAGE, {**filters, "after": after, "limit": limit})
            return [_notification(row) for row in rows]


def _columns(notification: Notification) -> dict[str, Any]:
    return {
        "id": notification.id,
        "order_id": notification.order_id,
        "customer_id": notification.customer_id,
        "channel": notification.channel,
        "template": notification.template,
        "content": json.dumps(dict(notification.content)),
        "state": notification.state,
        "version": notification.version,
        "request_id": notification.origin.request_id,
        "traceparent": notification.origin.traceparent,
        "due_time": notification.due_time,
        "create_time": notification.create_time,
        "update_time": notification.update_time,
    }


def _notification(row: Row[Any]) -> Notification:
    return Notification(
        id=row.id,
        order_id=row.order_id,
        customer_id=row.customer_id,
        channel=Channel(row.channel),
        template=Template(row.template),
        content=row.content,
        create_time=row.create_time,
        update_time=row.update_time,
        origin=Origin(row.request_id, row.traceparent),
        state=State(row.state),
        version=row.version,
        attempts=tuple(_attempt(*attempt) for attempt in row.attempts),
        due_time=row.due_time,
    )


def _attempt(number: int, delivered: bool, detail: str, time: str) -> Attempt:  # noqa: FBT001 - as the row has it
    return Attempt(number, delivered=delivered, detail=detail, time=datetime.fromisoformat(time))
