"""What every payment gateway can do, in terms that all of them share.

Every call names the thing it is about by a key of ours. A gateway that gets the same key again moves no money again and
gives the first answer; that is what makes a lost reply harmless. An answer is one of three kinds: it was done, it was
refused for good, or nobody knows (GatewayUnreachableError). Only where a request surely never left (GatewayDownError)
may another gateway be asked instead.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from services.common.money import Money
from services.payment.domain.facts import Fact
from services.payment.domain.payment import Kind


@dataclass(frozen=True, slots=True)
class Approved:
    """The gateway holds the amount until `expire_time`; `reference` is its own id of it."""

    reference: str
    expire_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class Declined:
    """The gateway refuses for good; `reason` is a constant such as CARD_DECLINED."""

    reason: str


@dataclass(frozen=True, slots=True)
class Done:
    """The gateway moved the money, or accepted to; `reference` is its own id of the movement, if it has one."""

    reference: str = ""


@dataclass(frozen=True, slots=True)
class Refused:
    """The gateway won't move the money, however often it is asked; the reason in its own words."""

    reason: str


class GatewayUnreachableError(Exception):
    """The gateway gave no answer: what it did is unknown until it is asked."""


class GatewayDownError(GatewayUnreachableError):
    """The request surely never reached the gateway: nobody was there to connect to, or it was turned away unread."""


@dataclass(frozen=True, slots=True)
class Movement:
    """A capture, refund or release of a payment that the gateway approved. `begun`: when it was first asked for."""

    key: str
    payment_id: str
    reference: str
    amount: Money
    final: bool
    begun: datetime


class Gateway(Protocol):
    """A payment gateway. Each method raises GatewayUnreachableError when there was no answer."""

    name: str
    captures_once: bool
    """Money of a hold is taken once; what that leaves is given up by it."""

    async def authorize(self, key: str, amount: Money, token: str) -> Approved | Declined:
        """Hold the amount on the means of payment behind the token."""

    async def find(self, key: str, amount: Money, token: str | None) -> Approved | Declined | None:
        """Say what became of an authorize call, or None when it never arrived or can't be told; then cancel it.

        `token`: the call's, if it is at hand. Some gateways are asked by repeating the call with its key.
        """

    async def cancel(self, key: str, reference: str) -> None:
        """Hold nothing for the key, now and should its authorize call still arrive. Nothing of it was captured."""

    async def capture(self, movement: Movement) -> Done | Refused:
        """Take an amount that is held; `final` gives up the rest."""

    async def release(self, movement: Movement) -> Done | Refused:
        """Give up what captures left of a hold."""

    async def refund(self, movement: Movement) -> Done | Refused:
        """Give back an amount that was taken."""

    async def close(self) -> None:
        """Let go of connections."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One notification as it is stored: the gateway's id and name of it, and its content."""

    event_id: str
    type: str
    content: bytes


class SignatureInvalidError(Exception):
    """The delivery isn't the gateway's, or is an old one sent again."""


class MalformedError(Exception):
    """The delivery is the gateway's and can't be read."""


class Notifications(Protocol):
    """How a gateway tells things by itself."""

    def verified(self, headers: Mapping[str, str], body: bytes, now: datetime) -> Sequence[Delivery]:
        """Check the signature over the very bytes. Raises SignatureInvalidError and MalformedError."""

    def fact(self, content: bytes) -> Fact | None:
        """Read what a stored delivery tells; None when it is nothing that concerns us. Raises MalformedError."""


@dataclass(frozen=True, slots=True)
class Settled:
    """A movement as the gateway's books have it.

    `id` is that of the row, `reference` that of the movement, if it has one, `payment_reference` that of the hold.
    """

    id: str
    kind: Kind
    reference: str
    payment_reference: str
    amount: Money


class Settlements(Protocol):
    """A gateway's books."""

    def read(self, row: Mapping[str, str]) -> Settled | None:
        """Read a row of a settlement file; None for one that moves no payer's money. Raises ValueError, KeyError."""

    def movements(self, start: datetime, end: datetime) -> AsyncIterator[Settled] | None:
        """Ask for what moved in a period; None where there is nobody to ask and files are all there is."""
