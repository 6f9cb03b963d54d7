"""Has money held, once for each order: commits what is about to be asked of the gateway, asks, commits the answer.

Whoever dies in between leaves a PENDING payment; asking the gateway by the same key settles it. A payment that is ended
because there was no answer is first marked so in the database: from then on nobody who hears a late answer can make it
AUTHORIZED, and everybody who comes by finishes ending it (docs/payments.md, "No answer").
"""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Protocol

from mesh.telemetry import get_logger
from services.common.money import Money
from services.payment.adapters.gateway import Approved, Declined, GatewayDownError, GatewayUnreachableError
from services.payment.breaker import Guarded
from services.payment.domain import transitions
from services.payment.domain.errors import AmountDiffers, NotAllowed, PaymentCancelled, PaymentChanged
from services.payment.domain.payment import Change, Entry, Kind, Payment, State
from services.payment.movements import Movements
from services.payment.routing import Gateways

_log = get_logger(__name__)

OFTEN_SECONDS = 0.05


class Store(Protocol):
    """What the cashier needs of the payment database."""

    async def add(self, payment: Payment) -> Payment | None:
        """Commit a new payment and its event. The order's payment, and nothing committed, when it has one."""

    async def save(self, change: Change) -> Payment:
        """Commit the next version, its event and ledger entries, and return it. Raises PaymentChanged."""

    async def reroute(self, payment: Payment, gateway: str) -> Payment:
        """Commit which gateway is asked next. Raises PaymentChanged unless the payment is as it was."""

    async def begin_ending(self, payment_id: str, end: State) -> Payment:
        """Commit that a PENDING payment is being ended; from here on nobody can save it as AUTHORIZED."""

    async def get(self, payment_id: str) -> Payment:
        """Read a payment. Raises PaymentNotFound."""

    async def of_order(self, order_id: str) -> Payment | None:
        """Read the payment of an order."""


class Cashier:
    """The use cases around a payment's beginning and its early end."""

    def __init__(  # noqa: PLR0913, PLR0917 - what it stands on
        self,
        store: Store,
        gateways: Gateways,
        movements: Movements,
        clock: Callable[[], datetime],
        new_id: Callable[[], str],
        patience: timedelta,
    ) -> None:
        """`patience`: how long another who asks the gateway for the same payment is waited for."""
        self._store = store
        self._gateways = gateways
        self._movements = movements
        self._clock = clock
        self._new_id = new_id
        self._patience = patience.total_seconds()

    async def authorize(self, order_id: str, customer_id: str, amount: Money, token: str) -> Payment:
        """Have the amount held for the order, once. PENDING when no gateway gives an answer."""
        gateway = self._gateways.first(amount.currency_code)
        payment = transitions.begin(self._new_id(), order_id, customer_id, amount, gateway.name, self._clock())
        existing = await self._store.add(payment)
        if existing is not None:
            return await self._repeated(existing, amount, token)
        return _not_cancelled(await self._asked(payment, gateway, token))

    async def resolve(self, payment: Payment, token: str | None = None) -> Payment:
        """Ask the gateway what became of a PENDING payment, and end one whose request has no answer."""
        if payment.state is not State.PENDING:
            return payment
        try:
            if payment.ending is None:
                decision = await self._gateways.named(payment.gateway).find(payment.id, payment.amount, token)
                if decision is not None:
                    return await self.settle(payment, decision)
            return await self._end(payment, State.FAILED)
        except GatewayUnreachableError as fault:
            _log.warning("the gateway can't be asked", payment_id=payment.id, gateway=payment.gateway, error=str(fault))
            return await self._store.get(payment.id)

    async def looked_up(self, payment: Payment) -> Payment:
        """Resolve a payment that is PENDING for so long that nobody waits for the gateway's answer any more."""
        waiting = self._clock() - payment.create_time <= timedelta(seconds=self._patience)
        return payment if waiting else await self.resolve(payment)

    async def settle(self, payment: Payment, decision: Approved | Declined) -> Payment:
        """Commit what the gateway decided for a PENDING payment."""
        now = self._clock()
        try:
            if isinstance(decision, Approved):
                done = transitions.authorized(payment, decision.reference, decision.expire_time, now)
                return await self._store.save(Change(done, (Entry(Kind.AUTHORIZATION, payment.amount),)))
            return await self._store.save(Change(transitions.failed(payment, decision.reason, now)))
        except PaymentChanged:
            _log.info("payment was settled by another", payment_id=payment.id)
            found = await self._store.get(payment.id)
            return await self._end(found, State.FAILED) if found.ending and found.state is State.PENDING else found

    async def cancel_order(self, order_id: str) -> Payment:
        """End whatever was begun for the order with nothing held, or see to it that nothing can begin."""
        payment = await self._store.of_order(order_id)
        if payment is None:
            marker = transitions.cancelled_before_begun(self._new_id(), order_id, self._clock())
            payment = await self._store.add(marker)
            if payment is None:
                return marker
        if payment.state is State.PENDING:
            payment = await self._ended(payment)
        if payment.captured:
            raise NotAllowed(payment, Kind.VOID)
        return await self._movements.void(payment) if payment.state is State.AUTHORIZED else payment

    async def void(self, payment: Payment) -> Payment:
        """Give up the hold, or what captures left of it."""
        if payment.state is State.PENDING:
            payment = await self._ended(payment)
        return await self._movements.void(payment)

    async def _ended(self, payment: Payment) -> Payment:
        try:
            return await self._end(payment, State.VOIDED)
        except GatewayUnreachableError as fault:
            raise self._movements.unreachable(payment) from fault

    async def _end(self, payment: Payment, end: State) -> Payment:
        """End a PENDING payment with nothing held. Its gateway never approves it any more, nor could we note that."""
        payment = await self._store.begin_ending(payment.id, end)
        if payment.state is not State.PENDING:
            return payment
        await self._gateways.named(payment.gateway).cancel(payment.id, payment.gateway_reference)
        try:
            return await self._store.save(Change(transitions.ended(payment, self._clock())))
        except PaymentChanged:
            return await self._store.get(payment.id)

    async def _asked(self, payment: Payment, gateway: Guarded, token: str) -> Payment:
        try:
            decision = await gateway.authorize(payment.id, payment.amount, token)
        except GatewayDownError:
            return await self._asked_elsewhere(payment, token)
        except GatewayUnreachableError:
            return await self.resolve(payment, token)
        return await self.settle(payment, decision)

    async def _asked_elsewhere(self, payment: Payment, token: str) -> Payment:
        """Ask the next gateway, since this one surely was not reached; the next is committed before it is asked."""
        following = self._gateways.after(payment.amount.currency_code, payment.gateway)
        if following is None:
            return payment
        _log.warning("another gateway is asked", payment_id=payment.id, before=payment.gateway, now=following.name)
        try:
            return await self._asked(await self._store.reroute(payment, following.name), following, token)
        except PaymentChanged:
            return await self._store.get(payment.id)

    async def _repeated(self, existing: Payment, amount: Money, token: str) -> Payment:
        if existing.state is State.VOIDED:
            raise PaymentCancelled(existing.order_id)
        if existing.amount != amount:
            raise AmountDiffers(existing)
        return _not_cancelled(await self._awaited(existing, token))

    async def _awaited(self, payment: Payment, token: str) -> Payment:
        """Let a request that is under way elsewhere come to its end before anybody asks what became of it."""
        end = asyncio.get_running_loop().time() + self._patience
        while payment.state is State.PENDING and asyncio.get_running_loop().time() < end:
            await asyncio.sleep(OFTEN_SECONDS)
            payment = await self._store.get(payment.id)
        return await self.resolve(payment, token)


def _not_cancelled(payment: Payment) -> Payment:
    if payment.state is State.VOIDED:
        raise PaymentCancelled(payment.order_id)
    return payment
