"""The second factor: codes of an authenticator (TOTP, RFC 6238) and the recovery codes that stand in for it.

A code works once: its 30 seconds are noted, and none of them or before is taken again (RFC 6238, section 5.2).
"""

import base64
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Protocol

import pyotp

from mesh.telemetry import get_logger
from services.auth.domain import User
from services.auth.domain.proofs import CodeWrong, EmailNotVerified, NoSecondFactor, SecondFactorEnabled
from services.auth.sealing import Digests
from services.auth.store import Factor
from services.auth.throttle import Throttle

_log = get_logger(__name__)

DIGITS: Final = 6
RECOVERY_CODES: Final = 10
RECOVERY_BYTES: Final = 10
GROUP: Final = 4
STEPS: Final = (0, -1, 1)
"""Clocks may be half a minute apart."""


class Store(Protocol):
    """What second factors need of the auth database."""

    async def enrol(self, user_id: str, secret: str, now: datetime) -> bool:
        """Keep a secret to be confirmed, in place of one that was not; False when one was."""

    async def factor(self, user_id: str) -> Factor | None:
        """Read the user's authenticator."""

    async def confirm(self, user_id: str, step: int, digests: list[bytes], now: datetime) -> bool:
        """Turn the factor on, with its recovery codes. False when it is on already."""

    async def take_step(self, user_id: str, step: int) -> bool:
        """Take the code of these 30 seconds. False when it, or a later one, was taken before."""

    async def use_recovery_code(self, user_id: str, digest: bytes) -> bool:
        """Take a recovery code. False when there is no such, or not any more."""

    async def replace_codes(self, user_id: str, digests: list[bytes]) -> None:
        """Void the recovery codes, and keep new ones."""

    async def disable(self, user_id: str) -> bool:
        """Turn the factor off; its recovery codes are void. False when there is none."""


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What an authenticator is set up with."""

    secret: str = field(repr=False)
    uri: str = field(repr=False)


class SecondFactor:
    """The use cases of second factors; who calls has checked the password or the session."""

    def __init__(
        self, store: Store, throttle: Throttle, digests: Digests, clock: Callable[[], datetime], issuer: str
    ) -> None:
        """`issuer`: what authenticators show beside the user's email."""
        self._store = store
        self._throttle = throttle
        self._digests = digests
        self._clock = clock
        self._issuer = issuer

    async def enrol(self, user: User) -> Enrolment:
        """Begin with a secret; nothing asks for it yet. Raises EmailNotVerified and SecondFactorEnabled.

        Who registers with somebody else's address must not be able to lock them out of what becomes theirs by mail.
        """
        if not user.email_verified:
            raise EmailNotVerified
        secret = pyotp.random_base32()
        if not await self._store.enrol(user.id, secret, self._clock()):
            raise SecondFactorEnabled
        return Enrolment(secret, pyotp.TOTP(secret).provisioning_uri(name=user.email, issuer_name=self._issuer))

    async def confirm(self, user_id: str, code: str) -> list[str]:
        """Turn it on by a code; return the recovery codes. Raises CodeWrong, NoSecondFactor, SecondFactorEnabled."""
        factor = await self._store.factor(user_id)
        if factor is None:
            raise NoSecondFactor
        await self._throttle.proof(user_id)
        step = step_of(factor.secret, code, self._clock())
        if step is None:
            raise CodeWrong
        codes = [new_recovery_code() for _ in range(RECOVERY_CODES)]
        if not await self._store.confirm(user_id, step, self._digested(user_id, codes), self._clock()):
            raise SecondFactorEnabled
        await self._throttle.proved(user_id)
        _log.info("second factor enabled", user_id=user_id)
        return codes

    async def shown(self, user_id: str, code: str) -> bool:
        """Take a code of the authenticator, or a recovery code; False when wrong or used. Raises TooManyAttempts."""
        await self._throttle.proof(user_id)
        if len(code) != DIGITS or not code.isdecimal():
            return await self._recovered(user_id, code)
        factor = await self._store.factor(user_id)
        if factor is None or not factor.confirmed:
            return False
        step = step_of(factor.secret, code, self._clock())
        return step is not None and await self._store.take_step(user_id, step)

    async def disable(self, user_id: str, code: str) -> None:
        """Turn it off. Raises CodeWrong and NoSecondFactor."""
        await self._prove(user_id, code)
        if not await self._store.disable(user_id):
            raise NoSecondFactor
        _log.warning("second factor disabled", user_id=user_id)

    async def replace_codes(self, user_id: str, code: str) -> list[str]:
        """Make new recovery codes. Raises CodeWrong and NoSecondFactor."""
        await self._prove(user_id, code)
        codes = [new_recovery_code() for _ in range(RECOVERY_CODES)]
        await self._store.replace_codes(user_id, self._digested(user_id, codes))
        _log.info("recovery codes replaced", user_id=user_id)
        return codes

    async def _prove(self, user_id: str, code: str) -> None:
        factor = await self._store.factor(user_id)
        if factor is None or not factor.confirmed:
            raise NoSecondFactor
        if not await self.shown(user_id, code):
            raise CodeWrong
        await self._throttle.proved(user_id)

    async def _recovered(self, user_id: str, code: str) -> bool:
        used = await self._store.use_recovery_code(user_id, self._digest(user_id, code))
        if used:
            _log.warning("recovery code used", user_id=user_id)
        return used

    def _digested(self, user_id: str, codes: list[str]) -> list[bytes]:
        return [self._digest(user_id, code) for code in codes]

    def _digest(self, user_id: str, code: str) -> bytes:
        return self._digests.of("recovery code", user_id, "".join(filter(str.isalnum, code)).upper())


def step_of(secret: str, code: str, now: datetime) -> int | None:
    """Tell which 30 seconds around now a code is of; None when of none."""
    totp = pyotp.TOTP(secret)
    present = totp.timecode(now)
    for step in (present + each for each in STEPS):
        if hmac.compare_digest(totp.generate_otp(step).encode(), code.encode()):
            return step
    return None


def new_recovery_code() -> str:
    """Make 80 random bits that people can type: `K4QX-7T2M-P5LD-3WZC`."""
    text = base64.b32encode(secrets.token_bytes(RECOVERY_BYTES)).decode()
    return "-".join(text[at : at + GROUP] for at in range(0, len(text), GROUP))
