"""Logging in: the password, then the second factor of who has one, then a session."""

import secrets
from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from google.protobuf.message import Message

from mesh.telemetry import get_logger
from services.auth.domain import InvalidCredentials, User, UserDisabled
from services.auth.domain.proofs import ChallengeInvalid, SecondFactorRequired, SecondFactorWrong
from services.auth.domain.sessions import Client
from services.auth.events import login_blocked
from services.auth.passwords import Passwords
from services.auth.sealing import hash_of
from services.auth.second_factor import SecondFactor
from services.auth.sessions import Login, Sessions
from services.auth.store import Account
from services.auth.throttle import Throttle

_log = get_logger(__name__)


class Users(Protocol):
    """What logins need of the users."""

    async def account(self, email: str, network: str = "") -> Account | None:
        """Read who logs in with an email, and whether they did so from this network before."""

    async def account_of(self, user_id: str) -> Account:
        """Read a user with the hash of their password. Raises UserNotFound."""

    async def rehash(self, account: Account, fresh: str) -> None:
        """Replace the hash of a password that stays the same."""

    async def tell(self, user_id: str, message: Message) -> None:
        """Commit an event that changes nothing but what is known of the user's story."""


class Challenges(Protocol):
    """Logins that wait for their second factor."""

    async def challenge(self, user_id: str, token_hash: bytes, now: datetime) -> None:
        """Keep a login that waits for its second factor."""

    async def try_challenge(self, token_hash: bytes, now: datetime) -> str | None:
        """Count a try, and return whose login waits. None when it waits no more."""

    async def challenge_met(self, token_hash: bytes) -> bool:
        """Take the login that waited. False when somebody else did."""


class Logins:
    """From email and password to a session."""

    def __init__(  # noqa: PLR0913 - each is another thing it stands on
        self,
        users: Users,
        passwords: Passwords,
        sessions: Sessions,
        *,
        challenges: Challenges,
        factor: SecondFactor,
        throttle: Throttle,
        clock: Callable[[], datetime],
        verified_only: bool = False,
    ) -> None:
        """`verified_only`: who has not shown that the email is theirs is not let in."""
        self._users = users
        self._passwords = passwords
        self._sessions = sessions
        self._challenges = challenges
        self._factor = factor
        self._throttle = throttle
        self._clock = clock
        self._verified_only = verified_only

    async def log_in(self, email: str, password: str, client: Client) -> Login:
        """Check the password and begin a session.

        Raises InvalidCredentials and TooManyAttempts; until then nothing differs between an account that there is and
        one that there isn't, in what is done, in what is said and in the time it takes. Who has proved to know the
        password is told more: UserDisabled and SecondFactorRequired.
        """
        blocks = await self._throttle.login(email, client.network)
        account = await self._users.account(email, client.network)
        if account is None or not account.known_network:
            blocks |= await self._throttle.strange_login(email)
        matches = await self._passwords.matches(account.password_hash if account else None, password)
        if account is None or not matches:
            await self._failed(account, blocks=blocks)
            raise InvalidCredentials
        if self._verified_only and not account.user.email_verified:
            _log.info("login refused", user_id=account.user.id, reason="EMAIL_NOT_VERIFIED")
            raise InvalidCredentials
        if account.user.disable_time is not None:
            raise UserDisabled
        if self._passwords.outdated(account.password_hash):
            await self._users.rehash(account, await self._passwords.hash(password))
        if account.user.second_factor:
            raise SecondFactorRequired(await self._challenge(account.user))
        return await self._sessions.begin(account.user, client, [self._throttle.login_key(email, client.network)])

    async def complete(self, challenge_token: str, code: str, client: Client) -> Login:
        """Check the second factor and begin a session. Raises ChallengeInvalid, SecondFactorWrong, TooManyAttempts."""
        token_hash = hash_of(challenge_token.encode())
        user_id = await self._challenges.try_challenge(token_hash, self._clock())
        if user_id is None:
            raise ChallengeInvalid
        if not await self._factor.shown(user_id, code):
            _log.warning("login failed", user_id=user_id, reason="SECOND_FACTOR_WRONG")
            raise SecondFactorWrong
        if not await self._challenges.challenge_met(token_hash):
            raise ChallengeInvalid
        user = (await self._users.account_of(user_id)).user
        if user.disable_time is not None:
            raise UserDisabled
        forgotten = [self._throttle.login_key(user.email, client.network), self._throttle.proof_key(user_id)]
        return await self._sessions.begin(user, client, forgotten, second_factor=True)

    async def _failed(self, account: Account | None, *, blocks: bool) -> None:
        """Write down a wrong password; whose email it was only where there is an account."""
        user_id = account.user.id if account else ""
        _log.warning("login failed", user_id=user_id, reason="INVALID_CREDENTIALS", blocks=blocks)
        if account is not None and blocks:
            await self._users.tell(user_id, login_blocked(user_id))

    async def _challenge(self, user: User) -> str:
        token = secrets.token_urlsafe(32)
        await self._challenges.challenge(user.id, hash_of(token.encode()), self._clock())
        return token
