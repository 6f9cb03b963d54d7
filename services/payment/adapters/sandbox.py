"""A gateway to develop and test against: it decides by token, remembers what it did, and moves no real money.

`tok_visa` approves, `tok_declined` and `tok_insufficient_funds` decline, `tok_timeout` hangs and never does anything,
`tok_lost_reply` approves and then drops the connection. Any other token is declined as unknown.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Protocol

from services.common.money import Money
from services.payment.adapters.gateway import (
    Approved,
    Declined,
    Done,
    GatewayUnreachableError,
    Movement,
    Refused,
    Settled,
)
from services.payment.domain.payment import Kind

NAME = "sandbox"
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

    def movements(self, start: datetime, end: datetime) -> AsyncIterator[Settled]:
        """Give the captures and refunds of a period."""


class Sandbox:
    """The sandbox as a Gateway. Its holds run out after `holds`."""

    name = NAME
    captures_once = False

    def __init__(self, accounts: Accounts, holds: timedelta = timedelta(days=7)) -> None:
        """`accounts`: the store of payment has them, in tables that no other code reads."""
        self._accounts = accounts
        self._holds = holds

    async def authorize(self, key: str, amount: Money, token: str) -> Approved | Declined:
        """Decide by token."""
        if token == "tok_timeout":  # noqa: S105 - a test token that stands for no secret
            await asyncio.sleep(_HANG_SECONDS)
        declined = None if token in _APPROVED else _DECLINED.get(token, "INVALID_PAYMENT_TOKEN")
        decision = await self._accounts.charge(key, amount, declined)
        if token == "tok_lost_reply":  # noqa: S105 - a test token that stands for no secret
            message = "the connection was dropped before the reply"
            raise GatewayUnreachableError(message)
        return self._until(decision)

    async def find(self, key: str, amount: Money, token: str | None) -> Approved | Declined | None:  # noqa: ARG002
        """Say what was decided."""
        decision = await self._accounts.find(key)
        return decision and self._until(decision)

    async def cancel(self, key: str, reference: str) -> None:  # noqa: ARG002 - the key is enough
        """Close the account, or keep it from being opened."""
        await self._accounts.close(key)

    async def capture(self, movement: Movement) -> Done | Refused:
        """Note the capture."""
        return await self._move(movement, Kind.CAPTURE)

    async def release(self, movement: Movement) -> Done | Refused:  # noqa: ARG002 - it holds nothing real
        """Forget the rest."""
        return Done()

    async def refund(self, movement: Movement) -> Done | Refused:
        """Note the refund."""
        return await self._move(movement, Kind.REFUND)

    async def close(self) -> None:
        """Nothing is open."""

    async def _move(self, movement: Movement, kind: Kind) -> Done:
        await self._accounts.move(movement.key, movement.reference, kind, movement.amount)
        return Done(movement.key)

    def _until(self, decision: Approved | Declined) -> Approved | Declined:
        """`expire_time` of an account is when it was opened, until the sandbox says for how long it holds."""
        if isinstance(decision, Approved) and decision.expire_time:
            return replace(decision, expire_time=decision.expire_time + self._holds)
        return decision
