"""Placing an order: prices it, commits it once for each idempotency key, has it driven, and waits for the outcome."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from mesh import errors
from services.order.domain import placing
from services.order.domain.errors import IdempotencyKeyReused
from services.order.domain.order import Line, Order
from services.order.domain.pricing import ShippingCalculator, TaxCalculator, price
from services.order.drives import Drives


@dataclass(frozen=True, slots=True)
class Request:
    """What a customer wants, as it was sent. `fingerprint` tells requests with other content apart."""

    customer_id: str
    wanted: Sequence[tuple[str, int]]
    shipping_address: Mapping[str, object]
    payment_token: str
    currency_code: str
    idempotency_key: str | None
    fingerprint: bytes


class Catalogue(Protocol):
    """Knows names and prices."""

    async def lines(self, wanted: Sequence[tuple[str, int]], currency_code: str) -> tuple[Line, ...]:
        """Price the wanted (SKU, quantity) pairs as of now. Raises UnknownSku."""


@dataclass(frozen=True, slots=True)
class Earlier:
    """The order that an idempotency key was used for, and the fingerprint of that request."""

    order: Order
    fingerprint: bytes


class Store(Protocol):
    """What placing needs of the order's own database."""

    async def add(self, order: Order, request: Request) -> bool:
        """Commit order, event and idempotency key at once. False, and nothing committed, when the key was used."""

    async def earlier(self, customer_id: str, key: str) -> Earlier | None:
        """Read what the key was used for, if it was."""


class Placement:
    """The use case behind CreateOrder."""

    def __init__(  # noqa: PLR0913, PLR0917 - everything from outside comes in here
        self,
        store: Store,
        catalogue: Catalogue,
        shipping: ShippingCalculator,
        tax: TaxCalculator,
        drives: Drives,
        clock: Callable[[], datetime],
        new_id: Callable[[], str],
    ) -> None:
        """`shipping` and `tax` price what `catalogue` does not."""
        self._store = store
        self._catalogue = catalogue
        self._shipping = shipping
        self._tax = tax
        self._drives = drives
        self._clock = clock
        self._new_id = new_id

    async def place(self, request: Request, within: float) -> Order:
        """Place the order, or find the one placed before with the same key; `within` seconds, settled or not."""
        try:
            lines = await self._catalogue.lines(request.wanted, request.currency_code)
        except errors.Error:
            # What could be had then may be gone now: a repeated request still gets its first answer.
            earlier = await self._earlier(request)
            if earlier is None:
                raise
            return await self._drives.outcome(earlier, within)
        order = await self._priced(request, lines)
        if await self._store.add(order, request):
            return await self._drives.drive(order, within, request.payment_token)
        earlier = await self._earlier(request)
        if earlier is None:
            raise errors.Aborted("the idempotency key is in use by a request that failed just now; send it again")
        return await self._drives.outcome(earlier, within)

    async def _priced(self, request: Request, lines: tuple[Line, ...]) -> Order:
        address = request.shipping_address
        priced, charges = await price(lines, str(address.get("region_code", "")), self._shipping, self._tax)
        return placing.place(self._new_id(), request.customer_id, priced, address, self._clock(), charges)

    async def _earlier(self, request: Request) -> Order | None:
        if request.idempotency_key is None:
            return None
        earlier = await self._store.earlier(request.customer_id, request.idempotency_key)
        if earlier is None:
            return None
        if earlier.fingerprint != request.fingerprint:
            raise IdempotencyKeyReused(request.idempotency_key)
        return earlier.order
