"""Carries out what was asked of a confirmed order: shipments, cancelled lines, returns and refunds.

As in the saga, each call may be repeated, and each outcome is one transition for the caller to commit before the next.
"""

from collections.abc import Callable
from datetime import datetime

from services.order.domain import fulfilment, refunds, returns
from services.order.domain.order import Order
from services.order.domain.parts import LineCancellation, Refund, Rejection, Return, Shipment, Units
from services.order.domain.transitions import IllegalTransitionError
from services.order.ports import Inventory, Payment, RefusedError


class Errands:
    """The step of each kind of part that is under way."""

    def __init__(self, inventory: Inventory, payment: Payment, clock: Callable[[], datetime]) -> None:
        """Everything from outside comes in here."""
        self._inventory = inventory
        self._payment = payment
        self._clock = clock

    async def run(self, order: Order) -> Order:
        """Do what is next for the part that is under way, and give the order as it is to be committed."""
        match order.under_way:
            case Shipment() as shipment:
                return await self._ship(order, shipment)
            case LineCancellation() as cancellation:
                return await self._cancel_lines(order, cancellation)
            case Return() as back:
                return await self._take_back(order, back)
            case Refund() as refund:
                return await self._refund(order, refund)
            case _:
                raise IllegalTransitionError(f"nothing is under way for order {order.id}")

    async def _ship(self, order: Order, shipment: Shipment) -> Order:
        if shipment.failure is not None:
            await self._inventory.revert(order.id, shipment.id)
            return fulfilment.fail_shipment(order, shipment, shipment.failure, self._clock())
        units = [Units(line.sku, line.quantity) for line in shipment.lines]
        try:
            await self._inventory.commit(order.id, units, shipment.id)
        except RefusedError as refused:
            return fulfilment.fail_shipment(order, shipment, _rejection(refused), self._clock())
        try:
            await self._take_money(order, shipment)
        except RefusedError as refused:
            # Decided before anything is undone: asked once more, the gateway might say yes.
            return fulfilment.refuse_shipment(order, shipment, _rejection(refused), self._clock())
        return fulfilment.ship(order, shipment, self._clock())

    async def _take_money(self, order: Order, shipment: Shipment) -> None:
        if shipment.amount:
            await self._payment.capture(_payment_of(order), shipment.amount, shipment.id, final=shipment.final)
        elif shipment.final:
            await self._payment.give_up_rest(_payment_of(order))

    async def _cancel_lines(self, order: Order, cancellation: LineCancellation) -> Order:
        await self._inventory.release_units(order.id, cancellation.lines, cancellation.id)
        if cancellation.final:
            await self._payment.give_up_rest(_payment_of(order))
        return fulfilment.cancel_lines(order, cancellation, self._clock())

    async def _take_back(self, order: Order, back: Return) -> Order:
        units = [Units(line.sku, line.restocked) for line in back.lines if line.restocked]
        if units:
            await self._inventory.take_back(order.id, units, back.id)
        return returns.complete(order, back, self._clock())

    async def _refund(self, order: Order, refund: Refund) -> Order:
        try:
            await self._payment.refund(_payment_of(order), refund.amount, refund.id)
        except RefusedError as refused:
            return refunds.fail_refund(order, refund, _rejection(refused), self._clock())
        return refunds.refund(order, refund, self._clock())


def _payment_of(order: Order) -> str:
    if order.payment_id is None:
        raise IllegalTransitionError(f"order {order.id} has no payment")
    return order.payment_id


def _rejection(refused: RefusedError) -> Rejection:
    return Rejection(refused.reason, refused.message)
