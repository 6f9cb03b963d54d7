"""Issues tokens with the key that signs now, and judges them with all that verify."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from services.auth.keyring import KeyRing
from services.auth.tokens import AccessToken, Grant, TokenIssuer


class Mint:
    """What everything that hands out tokens stands on."""

    def __init__(self, issuer: TokenIssuer, keys: KeyRing, clock: Callable[[], datetime]) -> None:
        """`issuer` has the form, `keys` the signature."""
        self._issuer = issuer
        self._keys = keys
        self._clock = clock

    @property
    def lifetime(self) -> timedelta:
        """How long a token holds."""
        return self._issuer.lifetime

    async def issue(self, grant: Grant) -> AccessToken:
        """Issue a token."""
        return self._issuer.issue(grant, await self._keys.signing(), self._clock())

    async def claims(self, token: str) -> Mapping[str, object] | None:
        """Read a token that holds; None for any other text."""
        return self._issuer.claims(token, await self._keys.published(), self._clock())
