"""The sandbox gateway behind a line that can be cut, held up, or lose its replies."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.common.money import Money
from services.payment.adapters.gateway import Approved, Declined, GatewayUnreachableError
from services.payment.adapters.sandbox import Sandbox
from services.payment.store import SandboxAccounts


class Gateway(Sandbox):
    """Counts what it is asked to authorize.

    - `cut`: requests do not arrive.
    - `mute`: they arrive, and the reply is lost.
    - `lost`: references of accounts for which they do not arrive.
    - `open`: while it is not set, requests to move money wait before they arrive.
    """

    def __init__(self, accounts: SandboxAccounts) -> None:
        """Answer everything at first."""
        super().__init__(accounts)
        self.authorizations = 0
        self.cut = False
        self.mute = False
        self.lost: set[str] = set()
        self.open = asyncio.Event()
        self.open.set()
        self.waiting = asyncio.Event()

    async def authorize(self, key: str, amount: Money, token: str) -> Approved | Declined:
        """Count, and decide."""
        self.authorizations += 1
        async with self._line():
            return await super().authorize(key, amount, token)

    async def find(self, key: str) -> Approved | Declined | None:
        """Say what was decided."""
        async with self._line():
            return await super().find(key)

    async def cancel(self, key: str) -> None:
        """Hold nothing."""
        async with self._line():
            await super().cancel(key)

    async def capture(self, key: str, reference: str, amount: Money) -> None:
        """Take money."""
        async with self._line():
            await self._turn(reference)
            await super().capture(key, reference, amount)

    async def refund(self, key: str, reference: str, amount: Money) -> None:
        """Give money back."""
        async with self._line():
            await self._turn(reference)
            await super().refund(key, reference, amount)

    async def _turn(self, reference: str) -> None:
        if reference in self.lost:
            raise GatewayUnreachableError
        self.waiting.set()
        await self.open.wait()

    @asynccontextmanager
    async def _line(self) -> AsyncIterator[None]:
        if self.cut:
            raise GatewayUnreachableError
        yield
        if self.mute:
            raise GatewayUnreachableError
