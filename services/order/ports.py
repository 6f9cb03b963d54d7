"""What driving an order needs of the inventory and the payment service. Each call may be repeated without harm."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from services.common.money import Money
from services.order.domain.order import Line
from services.order.domain.parts import Units


@dataclass(frozen=True, slots=True)
class Authorization:
    """What payment said: the id of the payment, and why it failed when it did."""

    payment_id: str
    failure_reason: str | None


class OutOfStock(Exception):
    """Inventory's definite answer that it does not hold the stock; `skus` are short."""

    def __init__(self, skus: list[str]) -> None:
        super().__init__(", ".join(skus))
        self.skus = skus


class RefusedError(Exception):
    """A definite no, which repeating does not change: a constant for programs, a sentence for people."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


class PaymentUnsettledError(Exception):
    """Payment does not know yet what the gateway did; ask again later."""


class Inventory(Protocol):
    """Holds stock for orders. `key` tells the times apart that units of one order move."""

    async def reserve(self, order_id: str, lines: tuple[Line, ...], region_code: str) -> str:
        """Hold the stock and return the reservation's id; `region_code`: where it is to go.

        Raises OutOfStock; repeated, gives the same answer.
        """

    async def release(self, order_id: str) -> None:
        """Give the stock back, or see to it that a reserve on its way holds nothing."""

    async def release_units(self, order_id: str, units: Sequence[Units], key: str) -> None:
        """Give some of the stock back."""

    async def commit(self, order_id: str, units: Sequence[Units], key: str) -> None:
        """Book stock as gone. Raises RefusedError."""

    async def revert(self, order_id: str, key: str) -> None:
        """Hold again what was booked as gone with the key, and did not leave."""

    async def take_back(self, order_id: str, units: Sequence[Units], key: str) -> None:
        """Book stock that was gone in again."""


class Payment(Protocol):
    """Has money held, taken and given back for orders. `key` tells the times apart that money of one order moves."""

    async def authorize(self, order_id: str, customer_id: str, amount: Money, token: str) -> Authorization:
        """Have the amount held. Raises PaymentUnsettledError; repeated, gives the same answer."""

    async def cancel(self, order_id: str) -> None:
        """Give the money back, or see to it that an authorization on its way holds nothing."""

    async def capture(self, payment_id: str, amount: Money, key: str, *, final: bool) -> None:
        """Take an amount of what is held; `final`: and give up the rest. Raises RefusedError."""

    async def give_up_rest(self, payment_id: str) -> None:
        """Give up what is still held, if anything is."""

    async def refund(self, payment_id: str, amount: Money, key: str) -> None:
        """Give back an amount of what was taken. Raises RefusedError."""
