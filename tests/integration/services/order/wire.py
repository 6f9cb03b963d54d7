"""The way from the order service to the others, which can lose requests and replies."""

import random
from dataclasses import dataclass, field

from mesh import errors
from services.common.money import Money
from services.order.domain.order import Line
from services.order.saga import Authorization, Inventory, Payment


class ProcessDiedError(Exception):
    """Here the process was killed."""


@dataclass
class Wire:
    """How reliable the way to other services is: how many of a hundred requests, and of a hundred replies, get lost.

    `crossings_to_live`: after so many requests and replies the order service dies; None if it doesn't.
    """

    lost_requests: int = 0
    lost_replies: int = 0
    luck: random.Random = field(default_factory=lambda: random.Random(1))  # noqa: S311 - luck, not secrecy

    crossings_to_live: int | None = None

    def request(self) -> None:
        """Let a request through, or not."""
        self._cross(self.lost_requests)

    def reply(self) -> None:
        """Let a reply through, or not."""
        self._cross(self.lost_replies)

    def _cross(self, percent_lost: int) -> None:
        if self.crossings_to_live is not None:
            if self.crossings_to_live == 0:
                raise ProcessDiedError
            self.crossings_to_live -= 1
        if self.luck.randrange(100) < percent_lost:
            raise errors.Unavailable("lost on the way")


class FarInventory:
    """The inventory service at the end of a wire."""

    def __init__(self, inventory: Inventory, wire: Wire) -> None:
        """Lead to the real one."""
        self._inventory = inventory
        self._wire = wire

    async def reserve(self, order_id: str, lines: tuple[Line, ...]) -> str:
        """Hold stock."""
        self._wire.request()
        reservation_id = await self._inventory.reserve(order_id, lines)
        self._wire.reply()
        return reservation_id

    async def release(self, order_id: str) -> None:
        """Give stock back."""
        self._wire.request()
        await self._inventory.release(order_id)
        self._wire.reply()


class FarPayment:
    """The payment service at the end of a wire."""

    def __init__(self, payment: Payment, wire: Wire) -> None:
        """Lead to the real one."""
        self._payment = payment
        self._wire = wire

    async def authorize(self, order_id: str, customer_id: str, amount: Money, token: str) -> Authorization:
        """Have money held."""
        self._wire.request()
        answer = await self._payment.authorize(order_id, customer_id, amount, token)
        self._wire.reply()
        return answer

    async def cancel(self, order_id: str) -> None:
        """Give money back."""
        self._wire.request()
        await self._payment.cancel(order_id)
        self._wire.reply()
