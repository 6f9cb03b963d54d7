"""What the stores have in common: how a user is read, and how what happened to one is told."""

import json
from typing import Final

from google.protobuf.message import Message

from services.auth.domain import User
from services.auth.events import AGGREGATE_TYPE
from services.auth.sealing import DataKeys, Sealed
from services.common import events
from services.common.database import Connection, Row

USER_COLUMNS: Final = """
u.id::text AS id, u.personal_data, u.data_key, u.roles, u.version, u.create_time, u.password_hash,
u.disable_time,
ARRAY(SELECT DISTINCT permission FROM role_permissions WHERE role = ANY (u.roles)) AS permissions,
u.verify_time IS NOT NULL AS email_verified,
EXISTS (SELECT FROM totp_factors t WHERE t.user_id = u.id AND t.confirm_time IS NOT NULL) AS second_factor
"""
_NEXT = "UPDATE users SET version = version + 1 WHERE id = CAST(%(id)s AS uuid) RETURNING version"
_LOCK = "SELECT FROM users WHERE id = CAST(%(id)s AS uuid) FOR UPDATE"


async def lock(connection: Connection, user_id: str) -> None:
    """Have a user to oneself until the commit: whoever changes what belongs to one does so, or tells, before all else.

    So no two transactions wait for each other in a circle.
    """
    await connection.run(_LOCK, {"id": user_id})


async def tell(connection: Connection, user_id: str, *messages: Message) -> None:
    """Append events about a user, in the transaction of what they tell of; it locks the user."""
    for message in messages:
        row = await connection.row(_NEXT, {"id": user_id})
        await events.append(connection, events.EventRecord(AGGREGATE_TYPE, user_id, row.version, message))


def sealed_user(data_keys: DataKeys, user: User) -> Sealed:
    """Seal what tells who a user is."""
    return data_keys.seal(json.dumps({"email": user.email, "display_name": user.display_name}), f"user {user.id}")


def user_of(row: Row, data_keys: DataKeys) -> User:
    """Read a user from USER_COLUMNS."""
    personal = json.loads(data_keys.open(Sealed(row.personal_data, row.data_key), f"user {row.id}"))
    return User(
        id=row.id,
        email=personal["email"],
        display_name=personal["display_name"],
        roles=tuple(row.roles),
        version=row.version,
        create_time=row.create_time,
        disable_time=row.disable_time,
        permissions=frozenset(row.permissions),
        email_verified=row.email_verified,
        second_factor=row.second_factor,
    )
