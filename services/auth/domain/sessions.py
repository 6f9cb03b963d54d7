"""Sessions: what a login begins, what a refresh token is, and what becomes of one that comes again. Pure."""

import base64
import binascii
import ipaddress
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from mesh import errors

HALF_BYTES = 32
LONGEST_USER_AGENT = 200
IPV6_NETWORK = 64


class EndReason(StrEnum):
    """Why a session ends; the names are those of the contract."""

    LOGGED_OUT = "LOGGED_OUT"
    REVOKED = "REVOKED"
    REFRESH_TOKEN_REUSED = "REFRESH_TOKEN_REUSED"  # noqa: S105 - a reason, not a token
    PASSWORD_CHANGED = "PASSWORD_CHANGED"  # noqa: S105 - as above
    PASSWORD_RESET = "PASSWORD_RESET"  # noqa: S105 - as above
    ERASED = "ERASED"


@dataclass(frozen=True, slots=True)
class Client:
    """What logs in: where from, and what it calls itself."""

    address: str = ""
    user_agent: str = ""

    @property
    def network(self) -> str:
        """What a guesser can't change at will: the address, or for IPv6 the /64 that one customer has."""
        try:
            address = ipaddress.ip_address(self.address)
        except ValueError:
            return self.address
        if isinstance(address, ipaddress.IPv6Address):
            return str(ipaddress.IPv6Network((address, IPV6_NETWORK), strict=False))
        return self.address


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """Two secrets of 256 bits: `family` is the session's for its whole life, `current` is another each time."""

    family: bytes = field(repr=False)
    current: bytes = field(repr=False)

    @classmethod
    def new(cls, family: bytes = b"") -> "RefreshToken":
        """Make the next one of a family, or the first of a new one."""
        return cls(family or secrets.token_bytes(HALF_BYTES), secrets.token_bytes(HALF_BYTES))

    @classmethod
    def read(cls, text: str) -> "RefreshToken":
        """Read what a client sends. Raises SessionEnded: what is no token is not worth another word."""
        try:
            both = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            raise SessionEnded from None
        if len(both) != 2 * HALF_BYTES:
            raise SessionEnded
        return cls(both[:HALF_BYTES], both[HALF_BYTES:])

    def __str__(self) -> str:
        """Write it for the client: base64url without padding."""
        return base64.urlsafe_b64encode(self.family + self.current).rstrip(b"=").decode()


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """How long a session lasts: without a refresh, and at all; how long a second use of a token is a coincidence."""

    idle: timedelta = timedelta(days=30)
    longest: timedelta = timedelta(days=90)
    grace: timedelta = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class Session:
    """One login."""

    id: str
    user_id: str
    client: Client
    create_time: datetime
    last_used_time: datetime
    expire_time: datetime


@dataclass(frozen=True, slots=True)
class Kept:
    """What is known of a session whose newest token is not the one that came."""

    id: str
    user_id: str
    previous_hash: bytes | None
    last_used_time: datetime
    expire_time: datetime
    end_time: datetime | None


class Verdict(StrEnum):
    """What a token that is not its session's newest means."""

    ENDED = "ended"
    ROTATED = "rotated"
    REUSED = "reused"


def judge(kept: Kept, presented_hash: bytes, now: datetime, grace: timedelta) -> Verdict:
    """Tell a coincidence from a theft.

    Only who had a token of the session knows its first half, so another second half is an old one. The one before the
    newest may come once more within the grace: two tabs refresh at once, or a reply was lost and the client asks again.
    It gets nothing for it, so the grace helps no thief; it only spares the user a logout.
    """
    if kept.end_time is not None or kept.expire_time <= now:
        return Verdict.ENDED
    if kept.previous_hash == presented_hash and now - kept.last_used_time < grace:
        return Verdict.ROTATED
    return Verdict.REUSED


class SessionEnded(errors.Unauthenticated):
    """There is no such session any more."""

    def __init__(self) -> None:
        super().__init__("the session has ended; log in again", reason="SESSION_ENDED")


class SessionNotFound(errors.NotFound):
    """The user has no such session that holds."""

    def __init__(self, session_id: str) -> None:
        super().__init__(
            f"there is no session {session_id}", reason="SESSION_NOT_FOUND", metadata={"session_id": session_id}
        )


class RefreshTokenRotated(errors.Aborted):
    """The token was used a moment ago."""

    def __init__(self) -> None:
        super().__init__(
            "the refresh token was used a moment ago; go on with the one that came of it",
            reason="REFRESH_TOKEN_ROTATED",
        )
