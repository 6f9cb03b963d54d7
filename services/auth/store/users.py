"""All SQL of the auth service."""

from dataclasses import dataclass, field

from services.auth.domain import EmailTaken, Role, User, UserNotFound, canonical
from services.auth.events import user_registered
from services.auth.keys import KeyVault, SigningKey
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
_USER = "SELECT id::text, email, display_name, roles, version, create_time, password_hash FROM users "
_BY_ID = _USER + "WHERE id = CAST(%(id)s AS uuid)"
_BY_EMAIL = _USER + "WHERE canonical_email = %(canonical_email)s"
_REHASH = "UPDATE users SET password_hash = %(fresh)s WHERE id = CAST(%(id)s AS uuid) AND password_hash = %(kept)s"
_KEYS = "SELECT id, public_key, sealed_private_key, create_time FROM signing_keys ORDER BY create_time DESC, id"
_ADD_FIRST_KEY = """
INSERT INTO signing_keys (id, public_key, sealed_private_key, create_time)
SELECT %(id)s, %(public_key)s, %(sealed_private_key)s, %(create_time)s WHERE NOT EXISTS (SELECT FROM signing_keys)
"""
# Instances that start at once make one key between them. The number is any, only the same for all.
_LOCK_KEYS = "SELECT pg_advisory_xact_lock(7021)"


@dataclass(frozen=True, slots=True)
class Account:
    """A user with the hash of their password."""

    user: User
    password_hash: str = field(repr=False)


class AuthStore:
    """Users and signing keys."""

    def __init__(self, database: Database, vault: KeyVault) -> None:
        """`vault` seals private keys before they come here."""
        self._database = database
        self._vault = vault

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
        return _user(row)

    async def account(self, email: str) -> Account | None:
        """Read who logs in with an email."""
        row = await self._database.row(_BY_EMAIL, {"canonical_email": canonical(email)})
        return None if row is None else Account(_user(row), row.password_hash)

    async def rehash(self, account: Account, fresh: str) -> None:
        """Replace the hash of a password that stays the same."""
        parameters = {"id": account.user.id, "kept": account.password_hash, "fresh": fresh}
        await self._database.run(_REHASH, parameters)

    async def keys(self) -> list[SigningKey]:
        """Read all signing keys, newest first."""
        return [self._vault.open(*row) for row in await self._database.rows(_KEYS)]

    async def add_first_key(self, key: SigningKey) -> None:
        """Keep the key unless there is one."""
        parameters = {
            "id": key.id,
            "public_key": key.public,
            "sealed_private_key": self._vault.seal(key),
            "create_time": key.create_time,
        }
        async with self._database.transaction() as connection:
            await connection.execute(_LOCK_KEYS)
            await connection.execute(_ADD_FIRST_KEY, parameters)


def _user(row: Row) -> User:
    roles = tuple(Role(role) for role in row.roles)
    return User(row.id, row.email, row.display_name, roles, row.version, row.create_time)
