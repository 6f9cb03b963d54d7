"""What admins do with service accounts, and how a program proves to be one."""

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TypeVar

from prometheus_client import Counter

from mesh.telemetry import get_logger
from services.auth import events
from services.auth.domain import require_known
from services.auth.domain.service_accounts import (
    DEFAULT_OVERLAP,
    Secret,
    ServiceAccount,
    ServiceAccountNotFound,
    new_secret,
)
from services.auth.store import ServiceAccountStore
from services.common.database import Connection
from services.common.events import EventRecord

_log = get_logger(__name__)

AUTHENTICATIONS = Counter(
    "ordermesh_auth_client_authentications_total",
    "How programs fared that claimed to be a service account: accepted, or why not.",
    ("outcome",),
)

T = TypeVar("T")
Changed = tuple[ServiceAccount, EventRecord | None]


@dataclass(frozen=True, slots=True)
class Told:
    """An account with a secret that is told this once."""

    account: ServiceAccount
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Proof:
    """An account that was proved, and by which of its secrets."""

    account: ServiceAccount
    secret: Secret


class ServiceAccounts:
    """The use cases behind ServiceAccountService. `held` is always what the caller may do."""

    def __init__(
        self,
        store: ServiceAccountStore,
        known: AbstractSet[str],
        clock: Callable[[], datetime],
        new_id: Callable[[], str],
    ) -> None:
        """`known` are the permissions that contracts name."""
        self._store = store
        self._known = known
        self._clock = clock
        self._new_id = new_id

    async def create(
        self, display_name: str, roles: Sequence[str], permissions: Sequence[str], held: AbstractSet[str]
    ) -> Told:
        """Make an account with its first secret."""
        require_known(permissions, self._known)
        now = self._clock()
        told, secret = new_secret(self._new_id(), now)
        account = ServiceAccount(
            self._new_id(), display_name, tuple(sorted(roles)), tuple(sorted(permissions)), (secret,), 1, now
        )
        return Told(await self._store.add(account, held), told)

    async def update(  # noqa: PLR0913, PLR0917 - what the contract has
        self,
        account_id: str,
        display_name: str,
        roles: Sequence[str],
        permissions: Sequence[str],
        held: AbstractSet[str],
        etag: str = "",
    ) -> ServiceAccount:
        """Give an account another name, other roles and other permissions; if `etag`, where given, is still its own."""
        require_known(permissions, self._known)

        async def change(_: Connection, before: ServiceAccount) -> Changed:
            wanted = replace(
                before, display_name=display_name, roles=tuple(sorted(roles)), permissions=tuple(sorted(permissions))
            )
            if wanted == before:
                return before, None
            after = replace(wanted, version=before.version + 1)
            return after, events.service_account_updated(after)

        return await self._store.change(account_id, held, change, etag)

    async def rotate(self, account_id: str, overlap: timedelta | None, held: AbstractSet[str], etag: str = "") -> Told:
        """Make another secret; the one before stays good for the overlap. `etag` as above."""
        now = self._clock()
        told, secret = new_secret(self._new_id(), now)
        expire_time = now + (DEFAULT_OVERLAP if overlap is None else overlap)

        async def change(connection: Connection, before: ServiceAccount) -> Changed:
            after = await self._store.replace_secret(connection, before, secret, expire_time)
            return after, events.service_account_secret_rotated(after, secret.id, expire_time)

        return Told(await self._store.change(account_id, held, change, etag), told)

    async def lock(self, account_id: str, held: AbstractSet[str], etag: str = "", *, out: bool) -> ServiceAccount:
        """Lock an account out, or let it in again; nothing when it is so already. `etag` as above."""

        async def change(_: Connection, before: ServiceAccount) -> Changed:
            if (before.disable_time is not None) == out:
                return before, None
            after = replace(before, disable_time=self._clock() if out else None, version=before.version + 1)
            return after, events.service_account_locked(after)

        return await self._store.change(account_id, held, change, etag)

    async def delete(self, account_id: str, held: AbstractSet[str], etag: str = "") -> None:
        """Delete an account for good; `etag` as above."""
        await self._store.delete(account_id, held, etag)

    async def proved(self, client_id: str, client_secret: str) -> Proof | None:
        """Return the account if the secret is one of its good ones; why not is for the log and the event only."""
        now = self._clock()
        try:
            account = await self._store.get(client_id)
        except ServiceAccountNotFound:
            _refused(client_id, "UNKNOWN")
            return None
        secret = next((each for each in account.secrets if each.opens(client_secret)), None)
        if secret is None:
            reason = "WRONG_SECRET"
        elif not secret.is_good(now):
            reason = "SECRET_EXPIRED"
        elif account.disable_time is not None:
            reason = "DISABLED"
        else:
            AUTHENTICATIONS.labels("accepted").inc()
            return Proof(account, secret)
        await self._store.failed(account.id, reason, now)
        _refused(client_id, reason)
        return None

    async def issued(self, proof: Proof, token_id: str) -> bool:
        """Write down that a token is issued; False when it must not be, as the account was locked out meanwhile."""
        return await self._store.issued(proof.account.id, proof.secret.id, token_id, self._clock())


def _refused(client_id: str, reason: str) -> None:
    AUTHENTICATIONS.labels(reason.lower()).inc()
    _log.warning("a client was refused", client_id=client_id, reason=reason)
