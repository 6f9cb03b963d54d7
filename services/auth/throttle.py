"""Slows down whoever guesses: every attempt at a secret is counted by whose it is and from where, before it is made."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Protocol

from services.auth.domain import canonical
from services.auth.domain.proofs import (
    BY_THE_OWNER,
    FROM_ANYWHERE,
    FROM_ONE_NETWORK,
    MAILS,
    Backoff,
    TooManyAttempts,
)
from services.auth.sealing import Digests


class Store(Protocol):
    """What a throttle needs of the auth database."""

    async def take(self, key: bytes, backoff: Backoff, now: datetime) -> int | timedelta:
        """Count an attempt and return how many there were, or, uncounted, how long to wait before the next."""

    async def clear(self, *keys: bytes) -> None:
        """Forget attempts: one of them was right."""


class Throttle:
    """Counts attempts. Whose they are is kept as a digest, and counted also when there is no such account."""

    def __init__(self, store: Store, digests: Digests, clock: Callable[[], datetime]) -> None:
        """`digests` make keys of whom and from where."""
        self._store = store
        self._digests = digests
        self._clock = clock

    async def login(self, email: str, network: str) -> bool:
        """Count a login from a network; True when further ones are blocked from now on. Raises TooManyAttempts."""
        return await self._take(self.login_key(email, network), FROM_ONE_NETWORK)

    async def strange_login(self, email: str) -> bool:
        """Count a login from a network that is not known to be the owner's. Raises TooManyAttempts."""
        return await self._take(self._digests.of("strange logins", canonical(email)), FROM_ANYWHERE)

    def login_key(self, email: str, network: str) -> bytes:
        """What is forgotten when the login succeeds."""
        return self._digests.of("logins", canonical(email), network)

    async def proof(self, user_id: str) -> None:
        """Count a second factor, or a password of who is logged in. Raises TooManyAttempts."""
        await self._take(self.proof_key(user_id), BY_THE_OWNER)

    def proof_key(self, user_id: str) -> bytes:
        """What is forgotten when the proof is right."""
        return self._digests.of("proofs", user_id)

    async def proved(self, user_id: str) -> None:
        """Forget the attempts: the proof was right."""
        await self._store.clear(self.proof_key(user_id))

    async def may_mail(self, email: str) -> bool:
        """Count a mail to an address; False when it got enough of them."""
        try:
            await self._take(self._digests.of("mails", canonical(email)), MAILS)
        except TooManyAttempts:
            return False
        return True

    async def _take(self, key: bytes, backoff: Backoff) -> bool:
        taken = await self._store.take(key, backoff, self._clock())
        if isinstance(taken, timedelta):
            raise TooManyAttempts(taken)
        return taken == backoff.free
