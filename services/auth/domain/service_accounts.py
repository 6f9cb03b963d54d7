"""Service accounts: programs that come in by a secret of their own."""

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from mesh import errors

PREFIX = "oms_"
"""By which scanners of repositories and logs know a secret."""
SECRET_BYTES = 32
HINT_LENGTH = 4
DEFAULT_OVERLAP = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Secret:
    """What is kept of a secret: a digest, enough for 256 random bits, and its end to tell it by."""

    id: str
    digest: bytes = field(repr=False)
    hint: str
    create_time: datetime
    expire_time: datetime | None = None

    def is_good(self, now: datetime) -> bool:
        """Tell whether it has not expired."""
        return self.expire_time is None or now < self.expire_time

    def opens(self, presented: str) -> bool:
        """Tell whether this is what was presented, in a time that says nothing."""
        return hmac.compare_digest(self.digest, digest_of(presented))


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    """A program's account. `held` is what its roles and its own permissions allow at this moment.

    `secrets` are those that have not been replaced for good, newest first. `version` counts the events about it.
    """

    id: str
    display_name: str
    roles: tuple[str, ...]
    permissions: tuple[str, ...]
    secrets: tuple[Secret, ...]
    version: int
    create_time: datetime
    disable_time: datetime | None = None
    held: frozenset[str] = frozenset()

    @property
    def etag(self) -> str:
        """What a caller compares to know whether the account changed; the version also counts tokens and failures."""
        keys = tuple(secret.id for secret in self.secrets)
        shown = repr((self.id, self.display_name, self.roles, self.permissions, keys, self.disable_time))
        return hashlib.sha256(shown.encode()).hexdigest()[:16]


def new_secret(id_: str, now: datetime) -> tuple[str, Secret]:
    """Make a secret: what is told once, and what is kept."""
    told = PREFIX + secrets.token_urlsafe(SECRET_BYTES)
    return told, Secret(id_, digest_of(told), told[-HINT_LENGTH:], now)


def digest_of(secret: str) -> bytes:
    """Return what is kept of a secret."""
    return hashlib.sha256(secret.encode()).digest()


class ServiceAccountNotFound(errors.NotFound):
    """There is no such account."""

    def __init__(self, account_id: str) -> None:
        super().__init__(
            f"there is no service account {account_id}",
            reason="SERVICE_ACCOUNT_NOT_FOUND",
            metadata={"service_account_id": account_id},
        )


class ServiceAccountChanged(errors.Aborted):
    """Somebody else changed the account since the caller read it: read it again and decide anew."""

    def __init__(self, account_id: str) -> None:
        super().__init__(
            f"service account {account_id} has changed since it was read; get it again",
            reason="SERVICE_ACCOUNT_CHANGED",
            metadata={"service_account_id": account_id},
        )
