"""What every payment gateway can do, in terms that all of them share.

Every call names the thing it is about by a key of ours. A gateway that gets the same key again moves no money again and
gives the first answer; that is what makes a lost reply harmless.
"""

from dataclasses import dataclass
from typing import Protocol

from services.common.money import Money


@dataclass(frozen=True, slots=True)
class Approved:
    """The gateway holds the amount; `reference` is its own id of it."""

    reference: str


@dataclass(frozen=True, slots=True)
class Declined:
    """The gateway refuses for good; `reason` is a constant such as CARD_DECLINED."""

    reason: str


class GatewayUnreachableError(Exception):
    """The gateway gave no answer: what it did is unknown until it is asked."""


class Gateway(Protocol):
    """A payment gateway. Each method raises GatewayUnreachableError when there was no answer."""

    name: str

    async def authorize(self, key: str, amount: Money, token: str) -> Approved | Declined:
        """Hold the amount on the means of payment behind the token."""

    async def find(self, key: str) -> Approved | Declined | None:
        """Say what became of an authorize call, or None when it never arrived."""

    async def cancel(self, key: str) -> None:
        """Hold nothing for the key, now and should its authorize call still arrive."""

    async def capture(self, key: str, reference: str, amount: Money) -> None:
        """Take an amount that is held."""

    async def refund(self, key: str, reference: str, amount: Money) -> None:
        """Give back an amount that was taken."""
