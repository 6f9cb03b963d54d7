"""The sandbox gateway behind a line that can be cut, held up, or lose its replies."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.common.money import Money
from services.payment.adapters.gateway import (
    Approved,
    Declined,
    Done,
    GatewayDownError,
    GatewayUnreachableError,
    Movement,
    Refused,
)
from services.payment.adapters.sandbox import Sandbox
from services.payment.store import SandboxAccounts


class Gateway(Sandbox):
    """Counts what it is asked to authorize.

    - `down`: nobody is there to connect to.
    - `cut`: requests do not arrive, which whoever sends them can't know.
    - `mute`: they arrive, and the reply is lost.
    - `lost`: references of accounts for which they do not arrive.
    - `refuses`: a reason why money does not move.
    - `open`: while it is not set, requests to move money wait before they arrive.
    """

    def __init__(self, accounts: SandboxAccounts, name: str = "sandbox") -> None:
        """Answer everything at first."""
        super().__init__(accounts)
        self.name = name
        self.authorizations = 0
        self.down = False
        self.cut = False
        self.mute = False
        self.refuses = ""
        self.lost: set[str] = set()
        self.open = asyncio.Event()
        self.open.set()
        self.waiting = asyncio.Event()

    async def authorize(self, key: str, amount: Money, token: str) -> Approved | Declined:
        """Count, and decide."""
        async with self._line():
            self.authorizations += 1
            return await super().authorize(key, amount, token)

    async def find(self, key: str, amount: Money, token: str | None) -> Approved | Declined | None:
        """Say what was decided."""
        async with self._line():
            return await super().find(key, amount, token)

    async def cancel(self, key: str, reference: str) -> None:
        """Hold nothing."""
        async with self._line():
            await super().cancel(key, reference)

    async def capture(self, movement: Movement) -> Done | Refused:
        """Take money."""
        async with self._line():
            await self._turn(movement.reference)
            return Refused(self.refuses) if self.refuses else await super().capture(movement)

    async def refund(self, movement: Movement) -> Done | Refused:
        """Give money back."""
        async with self._line():
            await self._turn(movement.reference)
            return Refused(self.refuses) if self.refuses else await super().refund(movement)

    async def release(self, movement: Movement) -> Done | Refused:
        """Give up the rest."""
        async with self._line():
            return Refused(self.refuses) if self.refuses else await super().release(movement)

    async def _turn(self, reference: str) -> None:
        if reference in self.lost:
            raise GatewayUnreachableError
        self.waiting.set()
        await self.open.wait()

    @asynccontextmanager
    async def _line(self) -> AsyncIterator[None]:
        if self.down:
            raise GatewayDownError
        if self.cut:
            raise GatewayUnreachableError
        yield
        if self.mute:
            raise GatewayUnreachableError
