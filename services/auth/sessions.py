"""Sessions: what a login begins, each refresh prolongs, and their owner sees and ends."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from mesh.telemetry import get_logger
from services.auth.domain import User, UserDisabled
from services.auth.domain.sessions import (
    Client,
    EndReason,
    Kept,
    Lifetimes,
    RefreshToken,
    RefreshTokenRotated,
    Session,
    SessionEnded,
    SessionNotFound,
    Verdict,
    judge,
)
from services.auth.mint import Mint
from services.auth.sealing import hash_of
from services.auth.store import Refreshed
from services.auth.tokens import Grant

_log = get_logger(__name__)

_LIFETIMES = Lifetimes()


class Store(Protocol):
    """What sessions need of the auth database."""

    async def begin(
        self,
        session: Session,
        token: RefreshToken,
        lifetimes: Lifetimes,
        forgotten: list[bytes],
        *,
        second_factor: bool,
    ) -> None:
        """Commit a login: the session, from where, and that the attempts before it are `forgotten`."""

    async def session_id(self, token: RefreshToken) -> str | None:
        """Tell which session a token is of."""

    async def rotate(  # noqa: PLR0913 - which token gives way to which, where, when and for how long
        self,
        session_id: str,
        token: RefreshToken,
        successor: RefreshToken,
        *,
        client: Client,
        now: datetime,
        idle_end: datetime,
    ) -> Refreshed | None:
        """Put the next token in place of this one, if it is the newest and the session holds; else None."""

    async def kept(self, token: RefreshToken) -> Kept | None:
        """Read what there is of a token's session."""

    async def end(self, user_id: str, session_id: str, reason: EndReason, now: datetime) -> None:
        """End one session. Raises SessionNotFound when the user has no such that holds."""

    async def end_all(self, user_id: str, reason: EndReason, now: datetime, but: str | None = None) -> int:
        """End all sessions, but for one if so wished; return how many."""

    async def holds(self, user_id: str, session_id: str, now: datetime) -> bool:
        """Tell whether the session is the user's and can be refreshed."""

    async def page(self, user_id: str, now: datetime, after: str | None, limit: int) -> list[Session]:
        """Read sessions that hold, newest first."""


@dataclass(frozen=True, slots=True)
class Login:
    """A user who proved who they are, with their tokens."""

    user: User
    session: Session
    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)

    @property
    def refresh_expires_in(self) -> timedelta:
        """How long the refresh token holds."""
        return self.session.expire_time - self.session.last_used_time


class Sessions:
    """The use cases of sessions."""

    def __init__(
        self,
        store: Store,
        mint: Mint,
        clock: Callable[[], datetime],
        new_id: Callable[[], str],
        lifetimes: Lifetimes = _LIFETIMES,
    ) -> None:
        """`mint` makes the access tokens."""
        self._store = store
        self._mint = mint
        self._clock = clock
        self._new_id = new_id
        self._lifetimes = lifetimes

    async def begin(self, user: User, client: Client, forgotten: list[bytes], *, second_factor: bool = False) -> Login:
        """Begin a session of who has proved who they are; attempts under the keys in `forgotten` were theirs."""
        now, token = self._clock(), RefreshToken.new()
        idle_end = now + min(self._lifetimes.idle, self._lifetimes.longest)
        session = Session(self._new_id(), user.id, client, now, now, idle_end)
        await self._store.begin(session, token, self._lifetimes, forgotten, second_factor=second_factor)
        _log.info("logged in", user_id=user.id, session_id=session.id, second_factor=second_factor)
        return Login(user, session, await self._issue(user, session.id), str(token))

    async def refresh(self, text: str, client: Client) -> Login:
        """Exchange a refresh token for the next one and an access token. Of two at once, one is served.

        Raises SessionEnded and RefreshTokenRotated; a token that comes again after its use ends its session.
        """
        now, token = self._clock(), RefreshToken.read(text)
        session_id = await self._store.session_id(token)
        if session_id is None:
            raise SessionEnded
        successor = RefreshToken.new(token.family)
        idle_end = now + self._lifetimes.idle
        refreshed = await self._store.rotate(session_id, token, successor, client=client, now=now, idle_end=idle_end)
        if refreshed is None:
            return await self._refuse(token, now)
        if refreshed.user.disable_time is not None:
            raise UserDisabled
        access_token = await self._issue(refreshed.user, session_id)
        return Login(refreshed.user, refreshed.session, access_token, str(successor))

    async def log_out(self, text: str, user_id: str, session_id: str) -> None:
        """End the session of a refresh token, or the one named; nothing when there is no such any more."""
        if text:
            try:
                kept = await self._store.kept(RefreshToken.read(text))
            except SessionEnded:
                return
            user_id, session_id = (kept.user_id, kept.id) if kept else ("", "")
        if user_id and session_id:
            await self._end(user_id, session_id, EndReason.LOGGED_OUT)

    async def require(self, user_id: str, session_id: str) -> None:
        """Raise SessionEnded unless the session holds: what is done to accounts is not left to tokens alone."""
        if not (user_id and session_id and await self._store.holds(user_id, session_id, self._clock())):
            raise SessionEnded

    async def page(self, user_id: str, after: str | None, limit: int) -> list[Session]:
        """Read a user's sessions that hold, newest first."""
        return await self._store.page(user_id, self._clock(), after, limit)

    async def revoke(self, user_id: str, session_id: str) -> None:
        """End one of a user's sessions. Raises SessionNotFound."""
        await self._store.end(user_id, session_id, EndReason.REVOKED, self._clock())
        _log.info("session revoked", user_id=user_id, session_id=session_id)

    async def revoke_all(self, user_id: str, but: str | None = None) -> int:
        """End all of a user's sessions, but for one if so wished; return how many."""
        ended = await self._store.end_all(user_id, EndReason.REVOKED, self._clock(), but)
        _log.info("sessions revoked", user_id=user_id, sessions=ended)
        return ended

    async def _issue(self, user: User, session_id: str) -> str:
        grant = Grant(user.id, user.roles, user.permissions, {"sid": session_id})
        return (await self._mint.issue(grant)).value

    async def _refuse(self, token: RefreshToken, now: datetime) -> Login:
        kept = await self._store.kept(token)
        if kept is None:
            raise SessionEnded
        verdict = judge(kept, hash_of(token.current), now, self._lifetimes.grace)
        if verdict is Verdict.ROTATED:
            raise RefreshTokenRotated
        if verdict is Verdict.REUSED:
            await self._end(kept.user_id, kept.id, EndReason.REFRESH_TOKEN_REUSED)
            _log.warning("refresh token reused", user_id=kept.user_id, session_id=kept.id)
        raise SessionEnded

    async def _end(self, user_id: str, session_id: str, reason: EndReason) -> None:
        try:
            await self._store.end(user_id, session_id, reason, self._clock())
        except SessionNotFound:
            return  # It has ended already.
        _log.info("session ended", user_id=user_id, session_id=session_id, reason=reason)
