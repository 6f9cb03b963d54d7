"""All SQL of the notification service. A notification's outcome and its event are one commit."""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from psycopg import IntegrityError

from services.common import events
from services.common.database import Connection, Database, Row
from services.common.filters import where
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

_ADD = """
INSERT INTO notifications (id, order_id, customer_id, channel, template, content, state, version, request_id,
                           traceparent, due_time, create_time, update_time)
VALUES (CAST(%(id)s AS uuid), CAST(%(order_id)s AS uuid), CAST(%(customer_id)s AS uuid), %(channel)s, %(template)s,
        CAST(%(content)s AS jsonb), %(state)s, %(version)s, %(request_id)s, %(traceparent)s, %(due_time)s,
        %(create_time)s, %(update_time)s)
ON CONFLICT (id) DO NOTHING
"""
_SAVE = """
WITH saved AS (
    UPDATE notifications SET state = %(state)s, version = %(version)s, due_time = %(due_time)s,
        update_time = %(update_time)s
    WHERE id = CAST(%(id)s AS uuid) AND state = 'PENDING'
    RETURNING id
), attempt AS (
    INSERT INTO delivery_attempts (notification_id, number, delivered, detail, attempt_time)
    SELECT id, %(number)s, %(delivered)s, %(detail)s, %(attempt_time)s FROM saved
), event AS (
    {event}
)
SELECT count(*) FROM saved
"""
_SAVE_TRIED = _SAVE.format(event="SELECT")
_SAVE_ENDED = _SAVE.format(event=events.insert_from("saved"))
_COLUMNS = """
SELECT n.id::text, n.order_id::text, n.customer_id::text, n.channel, n.template, n.content, n.state, n.version,
       n.request_id, n.traceparent, n.due_time, n.create_time, n.update_time, coalesce(a.attempts, '[]') AS attempts
"""
_ATTEMPTS = """
CROSS JOIN LATERAL (
    SELECT json_agg(json_build_array(number, delivered, detail, attempt_time) ORDER BY number) AS attempts
    FROM delivery_attempts WHERE notification_id = n.id
) a
"""
_NOTIFICATION = f"{_COLUMNS} FROM notifications n {_ATTEMPTS}"
_GET = f"{_NOTIFICATION} WHERE n.id = CAST(%(id)s AS uuid)"
_ERASE = """
WITH erased AS (
    UPDATE notifications SET content = '{}' WHERE customer_id = CAST(%(customer_id)s AS uuid) RETURNING id
)
UPDATE delivery_attempts SET detail = '' FROM erased WHERE notification_id = erased.id
"""
_PAGE = {
    "owner": "n.customer_id = CAST(%(owner)s AS uuid)",
    "customer_id": "n.customer_id = CAST(%(customer_id)s AS uuid)",
    "order_id": "n.order_id = CAST(%(order_id)s AS uuid)",
    "after": "n.id < CAST(%(after)s AS uuid)",
}
_NEWEST = "ORDER BY n.id DESC LIMIT %(limit)s"
# Materialized: a subquery that the planner runs again for each row would lock other rows each time.
_CLAIM = f"""
WITH due AS MATERIALIZED (
    SELECT id FROM notifications WHERE due_time <= now() ORDER BY due_time LIMIT %(limit)s FOR UPDATE SKIP LOCKED
), claimed AS (
    UPDATE notifications SET due_time = now() + %(lease)s FROM due WHERE notifications.id = due.id
    RETURNING notifications.*
)
{_COLUMNS} FROM claimed n {_ATTEMPTS} ORDER BY n.id
"""  # noqa: S608 - constants only


class NotificationStore:
    """Notifications and the attempts to deliver them."""

    def __init__(self, database: Database) -> None:
        """`database`: of the notification service."""
        self._database = database

    async def add(self, connection: Connection, notification: Notification) -> None:
        """Insert it in the transaction of the event that causes it; nothing when it is there already."""
        await connection.run(_ADD, _columns(notification))

    async def erase(self, connection: Connection, customer_id: str) -> None:
        """Take what tells of a person from what they were told: names, addresses, and what mail servers said."""
        await connection.run(_ERASE, {"customer_id": customer_id})

    async def claim(self, limit: int, lease: timedelta) -> list[Notification]:
        """Take what is due; until the lease ends nobody else gets the same, and nothing of it is locked."""
        return [_notification(row) for row in await self._database.rows(_CLAIM, {"limit": limit, "lease": lease})]

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
        statement = _SAVE_TRIED
        if notification.state is not State.PENDING:
            statement = _SAVE_ENDED
            parameters |= events.parameters(event_of(notification))
        try:
            (saved,) = await self._database.row(statement, parameters)
        except IntegrityError:
            # Its lease had ended, and somebody else recorded an attempt of this number.
            return False
        return bool(saved)

    async def get(self, notification_id: str) -> Notification:
        """Read a notification. Raises NotificationNotFound."""
        row = await self._database.row(_GET, {"id": notification_id})
        if row is None:
            raise NotificationNotFound(notification_id)
        return _notification(row)

    async def page(self, filters: Mapping[str, str | None], after: str | None, limit: int) -> list[Notification]:
        """Read notifications, newest first, that pass the filters owner, customer_id and order_id, where given."""
        values = {**filters, "after": after, "limit": limit}
        rows = await self._database.rows(f"{_NOTIFICATION} {where(_PAGE, values)} {_NEWEST}", values)
        return [_notification(row) for row in rows]


def _columns(notification: Notification) -> dict[str, Any]:
    return {
        "id": notification.id,
        "order_id": notification.order_id or None,
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


def _notification(row: Row) -> Notification:
    return Notification(
        id=row.id,
        order_id=row.order_id or "",
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
