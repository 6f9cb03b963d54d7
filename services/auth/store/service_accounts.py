"""Service accounts and what is kept of their secrets."""

from collections.abc import Awaitable, Callable
from collections.abc import Set as AbstractSet
from dataclasses import replace
from datetime import datetime

from services.auth import events as told
from services.auth.domain import require_held
from services.auth.domain.service_accounts import Secret, ServiceAccount, ServiceAccountChanged, ServiceAccountNotFound
from services.auth.store.roles import permissions_of
from services.common import events
from services.common.database import Connection, Database, Row
from services.common.events import EventRecord

_ACCOUNT = """
SELECT id::text, display_name, roles, permissions, version, create_time, disable_time,
       ARRAY(SELECT permission FROM role_permissions WHERE role = ANY (roles)
             UNION SELECT unnest(permissions)) AS held
FROM service_accounts
"""
_GET = _ACCOUNT + "WHERE id = CAST(%(id)s AS uuid)"
_PAGE = f"""
{_ACCOUNT} WHERE CAST(%(after)s AS uuid) IS NULL OR id < CAST(%(after)s AS uuid) ORDER BY id DESC LIMIT %(limit)s
"""
_SECRETS = """
SELECT service_account_id::text AS account_id, id::text, digest, hint, create_time, expire_time
FROM service_account_secrets WHERE service_account_id = ANY (CAST(%(ids)s AS uuid[])) ORDER BY id DESC
"""
_ADD = """
INSERT INTO service_accounts (id, display_name, roles, permissions, version, create_time)
VALUES (CAST(%(id)s AS uuid), %(display_name)s, CAST(%(roles)s AS text[]), CAST(%(permissions)s AS text[]), 1,
        %(create_time)s)
"""
_ADD_DIGEST = """
INSERT INTO service_account_secrets (id, service_account_id, digest, hint, create_time)
VALUES (CAST(%(id)s AS uuid), CAST(%(account_id)s AS uuid), %(digest)s, %(hint)s, %(create_time)s)
"""
_EXPIRE = """
UPDATE service_account_secrets SET expire_time = least(expire_time, %(expire_time)s)
WHERE service_account_id = CAST(%(account_id)s AS uuid)
"""
# Never more than two: the newest, and the one that it takes the place of.
_FORGET = """
DELETE FROM service_account_secrets WHERE service_account_id = CAST(%(account_id)s AS uuid)
  AND id NOT IN (SELECT id FROM service_account_secrets
                 WHERE service_account_id = CAST(%(account_id)s AS uuid) ORDER BY id DESC LIMIT 1)
"""
_UPDATE = """
UPDATE service_accounts
SET display_name = %(display_name)s, roles = CAST(%(roles)s AS text[]), permissions = CAST(%(permissions)s AS text[]),
    disable_time = %(disable_time)s, version = %(version)s
WHERE id = CAST(%(id)s AS uuid)
"""
_DELETE = """
WITH deleted AS (DELETE FROM service_accounts WHERE id = CAST(%(id)s AS uuid) RETURNING id)
INSERT INTO deleted_service_accounts (id) SELECT id FROM deleted
"""
# Only by an account and a secret that are still good.
_ISSUED = """
UPDATE service_accounts a SET version = a.version + 1
WHERE a.id = CAST(%(id)s AS uuid) AND a.disable_time IS NULL
  AND EXISTS (SELECT FROM service_account_secrets s WHERE s.id = CAST(%(secret_id)s AS uuid)
              AND (s.expire_time IS NULL OR s.expire_time > %(now)s))
RETURNING a.version
"""
_FAILED = """
UPDATE service_accounts SET version = version + 1, failure_time = %(now)s
WHERE id = CAST(%(id)s AS uuid) AND (failure_time IS NULL OR failure_time < %(now)s - interval '1 minute')
RETURNING version
"""

Change = Callable[[Connection, ServiceAccount], Awaitable[tuple[ServiceAccount, EventRecord | None]]]


class ServiceAccountStore:
    """Service accounts."""

    def __init__(self, database: Database) -> None:
        """`database` is auth's own."""
        self._database = database

    async def add(self, account: ServiceAccount, held: AbstractSet[str]) -> ServiceAccount:
        """Commit a new account and the event. Raises InvalidArgument, and PermissionDenied for more than is held."""
        async with self._database.transaction() as connection:
            given = await permissions_of(connection, account.roles)
            require_held(given.union(account.permissions), held)
            await connection.execute(_ADD, _values(account))
            for secret in account.secrets:
                await connection.execute(_ADD_DIGEST, _secret_values(account.id, secret))
            await events.append(connection, told.service_account_created(account))
            return await _read(connection, account.id)

    async def get(self, account_id: str) -> ServiceAccount:
        """Read an account. Raises ServiceAccountNotFound."""
        async with self._database.autocommit() as connection:
            return await _read(connection, account_id)

    async def page(self, after: str | None, limit: int) -> list[ServiceAccount]:
        """Read accounts, newest first."""
        async with self._database.autocommit() as connection:
            rows = await connection.rows(_PAGE, {"after": after, "limit": limit})
            return await _with_secrets(connection, rows)

    async def change(self, account_id: str, held: AbstractSet[str], change: Change, etag: str) -> ServiceAccount:
        """Commit what `change` makes of an account that nobody else changes meanwhile, and its event if there is one.

        Raises ServiceAccountNotFound, ServiceAccountChanged unless `etag` is empty or still the account's, and
        PermissionDenied when it may do, before or after, more than is held.
        """
        async with self._database.transaction() as connection:
            before = await _read(connection, account_id, " FOR UPDATE")
            require_held(before.held, held)
            after, event = await change(connection, before)
            if event is None:
                return before
            _require_unchanged(before, etag)
            require_held((await permissions_of(connection, after.roles)).union(after.permissions), held)
            await connection.execute(_UPDATE, _values(after))
            await events.append(connection, event)
            return await _read(connection, account_id)

    async def replace_secret(
        self, connection: Connection, account: ServiceAccount, secret: Secret, expire_time: datetime
    ) -> ServiceAccount:
        """Put a secret beside the newest, which expires then, and in place of all others; inside `change`."""
        await connection.execute(_FORGET, {"account_id": account.id})
        await connection.execute(_EXPIRE, {"account_id": account.id, "expire_time": expire_time})
        await connection.execute(_ADD_DIGEST, _secret_values(account.id, secret))
        return replace(account, version=account.version + 1)

    async def delete(self, account_id: str, held: AbstractSet[str], etag: str) -> None:
        """Commit that an account is gone. Raises ServiceAccountNotFound, and ServiceAccountChanged as above."""
        async with self._database.transaction() as connection:
            account = await _read(connection, account_id, " FOR UPDATE")
            require_held(account.held, held)
            _require_unchanged(account, etag)
            await connection.execute(_DELETE, {"id": account_id})
            await events.append(connection, told.service_account_deleted(account))

    async def issued(self, account_id: str, secret_id: str, token_id: str, now: datetime) -> bool:
        """Commit that a token is issued; False, and nothing is done, when account or secret is good no more."""
        async with self._database.transaction() as connection:
            row = await connection.row(_ISSUED, {"id": account_id, "secret_id": secret_id, "now": now})
            if row is None:
                return False
            event = told.service_account_token_issued(account_id, row.version, token_id, secret_id)
            await events.append(connection, event)
        return True

    async def failed(self, account_id: str, reason: str, now: datetime) -> None:
        """Commit that somebody could not prove to be the account; at most once a minute, whoever tries."""
        async with self._database.transaction() as connection:
            row = await connection.row(_FAILED, {"id": account_id, "now": now})
            if row is not None:
                event = told.service_account_authentication_failed(account_id, row.version, reason)
                await events.append(connection, event)


def _require_unchanged(account: ServiceAccount, etag: str) -> None:
    if etag and etag != account.etag:
        raise ServiceAccountChanged(account.id)


async def _read(connection: Connection, account_id: str, lock: str = "") -> ServiceAccount:
    row = await connection.row(_GET + lock, {"id": account_id})
    if row is None:
        raise ServiceAccountNotFound(account_id)
    (account,) = await _with_secrets(connection, [row])
    return account


async def _with_secrets(connection: Connection, rows: list[Row]) -> list[ServiceAccount]:
    found = await connection.rows(_SECRETS, {"ids": [row.id for row in rows]})
    return [_account(row, [secret for secret in found if secret.account_id == row.id]) for row in rows]


def _account(row: Row, secrets: list[Row]) -> ServiceAccount:
    return ServiceAccount(
        row.id,
        row.display_name,
        tuple(row.roles),
        tuple(row.permissions),
        tuple(Secret(*secret[1:]) for secret in secrets),
        row.version,
        row.create_time,
        row.disable_time,
        frozenset(row.held),
    )


def _values(account: ServiceAccount) -> dict[str, object]:
    return {
        "id": account.id,
        "display_name": account.display_name,
        "roles": list(account.roles),
        "permissions": list(account.permissions),
        "version": account.version,
        "create_time": account.create_time,
        "disable_time": account.disable_time,
    }


def _secret_values(account_id: str, secret: Secret) -> dict[str, object]:
    return {
        "id": secret.id,
        "account_id": account_id,
        "digest": secret.digest,
        "hint": secret.hint,
        "create_time": secret.create_time,
    }
