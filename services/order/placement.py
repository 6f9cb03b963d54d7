"""Placing an order: prices it, commits it once for each idempotency key, has it driven, and waits for the outcome."""

import asyncio
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from mesh import errors
from mesh.telemetry import get_logger
from services.order.domain import order as orders
from services.order.domain.errors import IdempotencyKeyReused
from services.order.domain.order import Line, Order
from services.order.saga import PaymentUnsettledError, Saga

_log = get_logger(__name__)

_FIRST_LOOK_SECONDS = 0.02
_SLOWEST_LOOK_SECONDS = 0.25


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


def fingerprint(content: bytes) -> bytes:
    """Return 32 bytes that stand for the content of a request, not for its text: send it in one canonical form."""
    return hashlib.sha256(content).digest()


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

    async def get(self, order_id: str) -> Order:
        """Read the order as it stands."""

    async def give_up_lease(self, order_id: str) -> None:
        """Let the recovery worker take the order at once."""


class Drives:
    """Orders being driven by this process. A caller who hangs up does not stop the drive of their order."""

    def __init__(self, saga: Saga, store: Store) -> None:
        """Start with none."""
        self._saga = saga
        self._store = store
        self._running: set[asyncio.Task[Order]] = set()

    async def drive(self, order: Order, within: float, payment_token: str | None = None) -> Order:
        """Drive the order and return it as it stands when it is settled, or after `within` seconds."""
        task = asyncio.create_task(self._drive(order, payment_token))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        done, _ = await asyncio.wait({task}, timeout=within)
        return task.result() if done else await self._store.get(order.id)

    async def _drive(self, order: Order, payment_token: str | None) -> Order:
        try:
            return await self._saga.drive(order, payment_token)
        except (errors.Error, PaymentUnsettledError) as fault:
            # The order is safe where it stands; the recovery worker takes it on from there.
            _log.warning("order left to recovery", order_id=order.id, error=str(fault), kind=type(fault).__name__)
            await self._store.give_up_lease(order.id)
            return await self._store.get(order.id)

    async def finish(self, stop: asyncio.Event) -> None:
        """Wait for the stop, then for the orders on their way."""
        await stop.wait()
        if self._running:
            await asyncio.wait(self._running)


class Placement:
    """The use case behind CreateOrder."""

    def __init__(
        self,
        store: Store,
        catalogue: Catalogue,
        drives: Drives,
        clock: Callable[[], datetime],
        new_id: Callable[[], str],
    ) -> None:
        """Everything from outside comes in here."""
        self._store = store
        self._catalogue = catalogue
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
            return await self._outcome(earlier, within)
        order = orders.place(self._new_id(), request.customer_id, lines, request.shipping_address, self._clock())
        if await self._store.add(order, request):
            return await self._drives.drive(order, within, request.payment_token)
        earlier = await self._earlier(request)
        if earlier is None:
            raise errors.Aborted("the idempotency key is in use by a request that failed just now; send it again")
        return await self._outcome(earlier, within)

    async def _earlier(self, request: Request) -> Order | None:
        if request.idempotency_key is None:
            return None
        earlier = await self._store.earlier(request.customer_id, request.idempotency_key)
        if earlier is None:
            return None
        if earlier.fingerprint != request.fingerprint:
            raise IdempotencyKeyReused(request.idempotency_key)
        return earlier.order

    async def _outcome(self, order: Order, within: float) -> Order:
        """Wait for whoever drives the order, so that both callers get the same answer."""
        deadline = asyncio.get_running_loop().time() + within
        look = _FIRST_LOOK_SECONDS
        while not order.settled and asyncio.get_running_loop().time() + look < deadline:
            await asyncio.sleep(look)
            look = min(look * 1.5, _SLOWEST_LOOK_SECONDS)
            order = await self._store.get(order.id)
        return order
