"""Users, found by a digest of their email, and the hashes of their passwords."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from google.protobuf.message import Message

from services.auth.domain import User, UserNotFound, canonical
from services.auth.domain.proofs import Purpose
from services.auth.events import code_requested, user_registered
from services.auth.sealing import DataKeys, Digests
from services.auth.store import codes
from services.auth.store.rows import USER_COLUMNS, sealed_user, tell, user_of
from services.common.database import Database

_ADD = """
INSERT INTO users (id, personal_data, data_key, email_digest, roles, password_hash, version, create_time, verify_time)
VALUES (CAST(%(id)s AS uuid), %(personal_data)s, %(data_key)s, %(email_digest)s, CAST(%(roles)s AS text[]),
        %(password_hash)s, 0, %(create_time)s, %(verify_time)s)
ON CONFLICT (email_digest) DO NOTHING
"""
_BY_ID = f"SELECT {USER_COLUMNS} FROM users u WHERE u.id = CAST(%(id)s AS uuid) AND u.erase_time IS NULL"  # noqa: S608
_BY_IDS = f"""
SELECT {USER_COLUMNS} FROM users u
WHERE u.id = ANY (CAST(%(ids)s AS uuid[])) AND u.erase_time IS NULL ORDER BY u.id DESC
"""  # noqa: S608 - constants only
_BY_EMAIL = f"""
SELECT {USER_COLUMNS},
       EXISTS (SELECT FROM known_networks n WHERE n.user_id = u.id AND n.network = %(network)s) AS known_network
FROM users u WHERE u.email_digest = %(email_digest)s
"""  # noqa: S608 - constants only
_REHASH = "UPDATE users SET password_hash = %(fresh)s WHERE id = CAST(%(id)s AS uuid) AND password_hash = %(kept)s"


@dataclass(frozen=True, slots=True)
class Account:
    """A user with the hash of their password."""

    user: User
    password_hash: str = field(repr=False)
    known_network: bool = False


class AuthStore:
    """Users."""

    def __init__(self, database: Database, data_keys: DataKeys, digests: Digests) -> None:
        """`data_keys` seals who users are; `digests` finds them again."""
        self._database = database
        self._data_keys = data_keys
        self._digests = digests

    async def add(self, user: User, password_hash: str, code_id: str | None) -> bool:
        """Commit a new user with the events; False, and nothing is done, when the email is taken.

        `code_id`: of the mail that verifies the email; None when it is known to be theirs.
        """
        sealed = sealed_user(self._data_keys, user)
        parameters = {
            "id": user.id,
            "personal_data": sealed.content,
            "data_key": sealed.key_id,
            "email_digest": self.email_digest(user.email),
            "roles": list(user.roles),
            "password_hash": password_hash,
            "create_time": user.create_time,
            "verify_time": None if code_id else user.create_time,
        }
        async with self._database.transaction() as connection:
            if not await connection.run(_ADD, parameters):
                return False
            await tell(connection, user.id, user_registered(user))
            if code_id:
                purpose = Purpose.EMAIL_VERIFICATION
                await codes.put(connection, user.id, code_id, purpose, user.create_time)
                await tell(connection, user.id, code_requested(purpose, user.id, code_id))
        return True

    async def tell(self, user_id: str, message: Message) -> None:
        """Commit an event that changes nothing but what is known of the user's story."""
        async with self._database.transaction() as connection:
            await tell(connection, user_id, message)

    async def get(self, user_id: str) -> User:
        """Read a user. Raises UserNotFound."""
        return (await self.account_of(user_id)).user

    async def account_of(self, user_id: str) -> Account:
        """Read a user with the hash of their password. Raises UserNotFound."""
        row = await self._database.row(_BY_ID, {"id": user_id})
        if row is None:
            raise UserNotFound(user_id)
        return Account(user_of(row, self._data_keys), row.password_hash)

    async def several(self, user_ids: Sequence[str]) -> list[User]:
        """Read users, newest first; those that there are not are left out."""
        rows = await self._database.rows(_BY_IDS, {"ids": list(user_ids)})
        return [user_of(row, self._data_keys) for row in rows]

    async def account(self, email: str, network: str = "") -> Account | None:
        """Read who logs in with an email, and whether they did so from this network before."""
        digest = self.email_digest(email)
        row = await self._database.row(_BY_EMAIL, {"email_digest": digest, "network": self.network_digest(network)})
        return None if row is None else Account(user_of(row, self._data_keys), row.password_hash, row.known_network)

    def email_digest(self, email: str) -> bytes:
        """What a user is found by."""
        return self._digests.of("email", canonical(email))

    def network_digest(self, network: str) -> bytes:
        """What a network is known by."""
        return self._digests.of("network", network)

    async def rehash(self, account: Account, fresh: str) -> None:
        """Replace the hash of a password that stays the same."""
        parameters = {"id": account.user.id, "kept": account.password_hash, "fresh": fresh}
        await self._database.run(_REHASH, parameters)
