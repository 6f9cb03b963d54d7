"""What proves whose an account is: the email, verified by mail, and the password, changed and reset."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from mesh.telemetry import get_logger
from services.auth.domain.proofs import PasswordChangedMeanwhile, PasswordWrong, Purpose
from services.auth.passwords import Passwords
from services.auth.sealing import hash_of
from services.auth.store import Account
from services.auth.throttle import Throttle

_log = get_logger(__name__)

STEADY = timedelta(milliseconds=200)
"""What asking for a mail takes, with an account and without: longer than the work for one that there is."""


class Users(Protocol):
    """What credentials need of the users."""

    async def account(self, email: str, network: str = "") -> Account | None:
        """Read who has an email."""

    async def account_of(self, user_id: str) -> Account:
        """Read a user with the hash of their password. Raises UserNotFound."""


class Codes(Protocol):
    """What credentials need of the codes in mails."""

    async def request(self, user_id: str, code_id: str, purpose: Purpose, now: datetime) -> None:
        """Commit that a mail with a code is to be sent."""

    async def issue(self, code_id: str, code_hash: bytes, now: datetime) -> datetime:
        """Keep the hash of the code that a mail brings; return when it ends. Raises CodeNotFound."""

    async def require(self, code_hash: bytes, purpose: Purpose, now: datetime) -> None:
        """Raise CodeInvalid unless the code works."""

    async def verify_email(self, code_hash: bytes, now: datetime) -> str:
        """Take the code, and commit that the user's email is theirs; return the user's id. Raises CodeInvalid."""

    async def reset_password(self, code_hash: bytes, fresh: str, now: datetime) -> str:
        """Take the code, set the password and end all sessions; return the user's id. Raises CodeInvalid."""

    async def change_password(self, user_id: str, kept: str, fresh: str, session_id: str, now: datetime) -> bool:
        """Replace a hash and end all sessions but one. False when the password was changed meanwhile."""


@dataclass(frozen=True, slots=True)
class IssuedCode:
    """A code that is in one mail and nowhere else."""

    code: str = field(repr=False)
    expire_time: datetime


class Credentials:
    """The use cases of emails and passwords."""

    def __init__(  # noqa: PLR0913 - each is another thing it stands on
        self,
        users: Users,
        codes: Codes,
        passwords: Passwords,
        throttle: Throttle,
        *,
        clock: Callable[[], datetime],
        new_id: Callable[[], str],
        steady: timedelta = STEADY,
    ) -> None:
        """`steady`: how long it takes at least to ask for a mail."""
        self._users = users
        self._codes = codes
        self._passwords = passwords
        self._throttle = throttle
        self._clock = clock
        self._new_id = new_id
        self._steady = steady.total_seconds()

    async def request_mail(self, email: str, purpose: Purpose) -> None:
        """Have a mail sent, if there is an account that has a use for it: whoever asks can't tell."""
        await self._steadily(self._request_mail(email, purpose))

    async def issue_code(self, code_id: str) -> IssuedCode:
        """Make the code of a mail, in place of one that an earlier try made. Raises CodeNotFound."""
        code = secrets.token_urlsafe(32)
        return IssuedCode(code, await self._codes.issue(code_id, hash_of(code.encode()), self._clock()))

    async def verify_email(self, code: str) -> None:
        """Take the code of a mail. Raises CodeInvalid."""
        user_id = await self._codes.verify_email(hash_of(code.encode()), self._clock())
        _log.info("email verified", user_id=user_id)

    async def reset_password(self, code: str, password: str) -> None:
        """Set a password by the code of a mail, and end all sessions. Raises CodeInvalid."""
        code_hash = hash_of(code.encode())
        await self._codes.require(code_hash, Purpose.PASSWORD_RESET, self._clock())
        fresh = await self._passwords.hash(password)
        user_id = await self._codes.reset_password(code_hash, fresh, self._clock())
        await self._throttle.proved(user_id)
        _log.warning("password reset", user_id=user_id)

    async def change_password(self, user_id: str, session_id: str, current: str, fresh: str) -> None:
        """Change the password of who knows it, and end their other sessions.

        Raises PasswordWrong, TooManyAttempts and PasswordChangedMeanwhile.
        """
        account = await self.require_password(user_id, current)
        hashed = await self._passwords.hash(fresh)
        if not await self._codes.change_password(user_id, account.password_hash, hashed, session_id, self._clock()):
            raise PasswordChangedMeanwhile
        _log.info("password changed", user_id=user_id)

    async def require_password(self, user_id: str, password: str) -> Account:
        """Return the account of who is logged in and knows the password. Raises PasswordWrong and TooManyAttempts."""
        await self._throttle.proof(user_id)
        account = await self._users.account_of(user_id)
        if not await self._passwords.matches(account.password_hash, password):
            _log.warning("present password wrong", user_id=user_id)
            raise PasswordWrong
        await self._throttle.proved(user_id)
        return account

    async def _request_mail(self, email: str, purpose: Purpose) -> None:
        allowed = await self._throttle.may_mail(email)
        account = await self._users.account(email)
        if account is None or not allowed:
            return
        if purpose is Purpose.EMAIL_VERIFICATION and account.user.email_verified:
            return
        await self._codes.request(account.user.id, self._new_id(), purpose, self._clock())
        _log.info("mail requested", user_id=account.user.id, purpose=purpose)

    async def _steadily(self, work: Awaitable[None]) -> None:
        await asyncio.gather(work, asyncio.sleep(self._steady))
