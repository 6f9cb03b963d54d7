"""A gateway to develop and test against: it decides by token, remembers what it did, and moves no real money.

`tok_visa` approves, `tok_declined` and `tok_insufficient_funds` decline, `tok_timeout` hangs and never does anything,
`tok_lost_reply` approves and then drops the connection. Any other token is declined as unknown.
"""

import asyncio
from collections.abc import Mapping
from types import MappingProxyType
from typing import Protocol

from services.common.money import Money
from services.payment.adapters.gateway import Approved, Declined, GatewayUnreachableError

_DECLINED: Mapping[str, str] = MappingProxyType(
    {"tok_declined": "CARD_DECLINED", "tok_insufficient_funds": "INSUFFICIENT_FUNDS"}
)
_APPROVED = frozenset({"tok_visa", "tok_lost_reply"})
_HANG_SECONDS = 60.0


class Accounts(Protocol):
    """The sandbox's own memory, which outlives this process as a real gateway's would."""

    async def charge(self, key: str, amount: Money, declined: str | None) -> Approved | Declined:
        """Open an account for the key unless there is one, and return what was decided for it first."""

    async def find(self, key: str) -> Approved | Declined | None:
        """Return what was decided for the key, if anything was."""

    async def close(self, key: str) -> None:
        """Hold nothing for the key, also when no account is open for it yet."""

    async def move(self, key: str, reference: str, kind: str, amount: Money) -> None:
        """Note a capture or refund, once for each key."""


class Sandbox:
    """The sandbox as a Gateway."""

    name = "sandbox"

    def __init__(self, accounts: Accounts) -> None:
        """`accounts`: the store of payment has them, in tables that no other code reads."""
        self._accounts = accounts

    async def authorize(self, key: str, amount: Money, token: str) -> Approved | Declined:
        """Decide by token."""
        if token == "tok_timeout":  # noqa: S105 - a test token that stands for no secret
            await asyncio.sleep(_HANG_SECONDS)
        declined = None if token in _APPROVED else _DECLINED.get(token, "INVALID_PAYMENT_TOKEN")
        decision = await self._accounts.charge(key, amount, declined)
        if token == "tok_lost_reply":  # noqa: S105 - a test token that stands for no secret
            message = "the connection was dropped before the reply"
            raise GatewayUnreachableError(message)
        return decision

    async def find(self, key: str) -> Approved | Declined | None:
        """Say what was decided."""
        return await self._accounts.find(key)

    async def cancel(self, key: str) -> None:
        """Close the account, or keep it from being opened."""
        await self._accounts.close(key)

    async def capture(self, key: str, reference: str, amount: Money) -> None:
        """Note the capture."""
        await self._accounts.move(key, reference, "CAPTURE", amount)

    async def refund(self, key: str, reference: str, amount: Money) -> None:
        """Note the refund."""
        await self._accounts.move(key, reference, "REFUND", amount)
