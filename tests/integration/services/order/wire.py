"""The way from the order service to the others, which can lose requests and replies."""

import random
from dataclasses import dataclass, field

from mesh import errors
from services.common.money import Money
from services.order.domain.order import Line
from services.order.saga import Authorization, Inventory, Payment


@dataclass
class Wire:
    """How reliable the way to other services is: how many of a hundred requests, and of a hundred replies, get lost."""

    lost_requests: int = 0
    lost_replies: int = 0
    luck: random.Random = field(default_factory=lambda: random.Random(1))  # noqa: S311 - luck, not secrecy

    def request(self) -> None:
        """Lose a request, or not."""
        if self.luck.randrange(100) < self.lost_requests:
            raise errors.Unavailable("the request was lost")

    def reply(self) -> None:
        """Lose a reply, or not."""
        if self.luck.randrange(100) < self.lost_replies:
            raise errors.Unavailable("the reply was lost")


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
