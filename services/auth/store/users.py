"""Users and the hashes of their passwords."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from services.auth.domain import EmailTaken, User, UserNotFound, canonical
from services.auth.events import user_registered
from services.common import events
from services.common.database import Database, Row

_ADD = f"""
WITH added AS (
    INSERT INTO users (id, email, canonical_email, display_name, roles, password_hash, version, create_time)
    VALUES (CAST(%(id)s AS uuid), %(email)s, %(canonical_email)s, %(display_name)s, CAST(%(roles)s AS text[]),
            %(password_hash)s, %(version)s, %(create_time)s)
    ON CONFLICT (canonical_email) DO NOTHING RETURNING id
), event AS (
    {events.insert_from("added")}
)
SELECT count(*) FROM added
"""  # noqa: S608 - constants only
USER = """
SELECT id::text, email, display_name, roles, version, create_time, disable_time, password_hash,
       ARRAY(SELECT DISTINCT permission FROM role_permissions WHERE role = ANY (users.roles)) AS permissions
FROM users
"""
_BY_ID = USER + "WHERE id = CAST(%(id)s AS uuid)"
_BY_IDS = USER + "WHERE id = ANY (CAST(%(ids)s AS uuid[])) ORDER BY id DESC"
_BY_EMAIL = USER + "WHERE canonical_email = %(canonical_email)s"
_REHASH = "UPDATE users SET password_hash = %(fresh)s WHERE id = CAST(%(id)s AS uuid) AND password_hash = %(kept)s"


@dataclass(frozen=True, slots=True)
class Account:
    """A user with the hash of their password."""

    user: User
    password_hash: str = field(repr=False)


class AuthStore:
    """Users."""

    def __init__(self, database: Database) -> None:
        """`database` is auth's own."""
        self._database = database

    async def add(self, user: User, password_hash: str) -> None:
        """Commit a new user and the event. Raises EmailTaken."""
        parameters = {
            **events.parameters(user_registered(user)),
            "id": user.id,
            "email": user.email,
            "canonical_email": canonical(user.email),
            "display_name": user.display_name,
            "roles": list(user.roles),
            "password_hash": password_hash,
            "version": user.version,
            "create_time": user.create_time,
        }
        (added,) = await self._database.row(_ADD, parameters)
        if not added:
            raise EmailTaken

    async def get(self, user_id: str) -> User:
        """Read a user. Raises UserNotFound."""
        row = await self._database.row(_BY_ID, {"id": user_id})
        if row is None:
            raise UserNotFound(user_id)
        return user_of(row)

    async def several(self, user_ids: Sequence[str]) -> list[User]:
        """Read users, newest first; those that there are not are left out."""
        return [user_of(row) for row in await self._database.rows(_BY_IDS, {"ids": list(user_ids)})]

    async def account(self, email: str) -> Account | None:
        """Read who logs in with an email."""
        row = await self._database.row(_BY_EMAIL, {"canonical_email": canonical(email)})
        return None if row is None else Account(user_of(row), row.password_hash)

    async def rehash(self, account: Account, fresh: str) -> None:
        """Replace the hash of a password that stays the same."""
        parameters = {"id": account.user.id, "kept": account.password_hash, "fresh": fresh}
        await self._database.run(_REHASH, parameters)


def user_of(row: Row) -> User:
    """Read a user out of a row of USER."""
    roles, permissions = tuple(row.roles), frozenset(row.permissions)
    return User(row.id, row.email, row.display_name, roles, row.version, row.create_time, row.disable_time, permissions)
