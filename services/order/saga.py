"""Drives an order to its outcome: holds stock, has money authorized, or gives both back; then whatever was asked of it.

Each step may be repeated: the others know it by the order's id. Each outcome is committed before the next step begins,
so that after a crash anywhere the recovery worker goes on where the last commit was (docs/architecture.md, "An order").
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Protocol

from mesh import errors
from mesh.telemetry import get_logger
from services.order.domain import placing
from services.order.domain.errors import OrderChanged
from services.order.domain.order import Order, State
from services.order.domain.parts import Rejection
from services.order.errands import Errands
from services.order.ports import Inventory, OutOfStock, Payment

_log = get_logger(__name__)

TIMED_OUT = Rejection("TIMED_OUT", "the order could not be completed in time; nothing was charged")


class Store(Protocol):
    """What the saga needs of the order's own database."""

    async def save(self, order: Order) -> None:
        """Commit the order and the event of its last transition. Raises OrderChanged unless it is the next version."""

    async def get(self, order_id: str) -> Order:
        """Read the order as it stands."""

    async def payment_token(self, order_id: str) -> str:
        """Read the token of a PENDING order's means of payment. Raises OrderChanged when it is no longer PENDING."""


class Saga:
    """The steps from each unsettled state to the next."""

    def __init__(
        self,
        store: Store,
        inventory: Inventory,
        payment: Payment,
        clock: Callable[[], datetime],
        give_up_after: timedelta,
    ) -> None:
        """`give_up_after`: how old a PENDING order may get before it is rejected instead of driven on."""
        self._store = store
        self._inventory = inventory
        self._payment = payment
        self._clock = clock
        self._give_up_after = give_up_after
        self._errands = Errands(inventory, payment, clock)

    async def drive(self, order: Order, payment_token: str | None = None) -> Order:
        """Take the order as far as it can go now. An error of another service is raised; nothing is lost by it.

        `payment_token`: the order's, for who has it at hand.
        """
        while not order.settled:
            try:
                order = await self._step(order, payment_token)
            except OrderChanged:
                order = await self._store.get(order.id)
        return order

    async def _step(self, order: Order, payment_token: str | None) -> Order:
        if order.state is State.CANCELLING:
            return await self._cancel(order)
        if order.state is not State.PENDING:
            return await self._commit(await self._errands.run(order))
        if self._clock() - order.create_time > self._give_up_after:
            return await self._give_up(order)
        if order.reservation_id is None:
            return await self._reserve(order)
        return await self._authorize(order, payment_token or await self._store.payment_token(order.id))

    async def _reserve(self, order: Order) -> Order:
        try:
            region_code = str(order.shipping_address.get("region_code", ""))
            reservation_id = await self._inventory.reserve(order.id, order.lines, region_code)
        except OutOfStock as short:
            # Inventory has recorded its refusal, so that an earlier call of ours, still on its way, holds nothing.
            return await self._reject(order, Rejection("OUT_OF_STOCK", f"not enough in stock of {short}"))
        return await self._commit(placing.reserve_stock(order, reservation_id, self._clock()))

    async def _authorize(self, order: Order, token: str) -> Order:
        try:
            answer = await self._payment.authorize(order.id, order.customer_id, order.total, token)
        except (errors.FailedPrecondition, errors.InvalidArgument) as refused:
            rejection = Rejection(refused.reason, str(refused))
        else:
            if answer.failure_reason is None:
                return await self._commit(placing.confirm(order, answer.payment_id, self._clock()))
            rejection = Rejection(answer.failure_reason, "the payment was not authorized")
        await self._inventory.release(order.id)
        return await self._reject(order, rejection)

    async def _give_up(self, order: Order) -> Order:
        await self._give_back(order)
        return await self._reject(order, TIMED_OUT)

    async def _cancel(self, order: Order) -> Order:
        await self._give_back(order)
        return await self._commit(placing.cancel(order, self._clock()))

    async def _give_back(self, order: Order) -> None:
        """Nothing may stay held, also not by a call of ours that is still on its way: so both are told, always."""
        await self._payment.cancel(order.id)
        await self._inventory.release(order.id)

    async def _reject(self, order: Order, rejection: Rejection) -> Order:
        return await self._commit(placing.reject(order, rejection, self._clock()))

    async def _commit(self, order: Order) -> Order:
        await self._store.save(order)
        _log.info("order moved", order_id=order.id, state=order.state, version=order.version)
        return order
