"""Moves money: commits what is about to be asked of the gateway, asks, and commits the answer.

Whoever dies in between leaves a PENDING payment or an open operation; asking the gateway by the same key settles it.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Protocol

from mesh import context, errors
from mesh.telemetry import get_logger
from services.common.money import Money
from services.payment import domain
from services.payment.adapters.gateway import Approved, Declined, Gateway, GatewayUnreachableError
from services.payment.domain import Kind, NotAllowed, Operation, Payment, PaymentChanged, State

_log = get_logger(__name__)

FORGOTTEN = "GATEWAY_TIMEOUT"
"""Why a payment failed whose request never reached the gateway and was cancelled there."""


ONE_VOID = "void"
"""The request id of every void: a payment has one at most, whoever asks for it and however often."""


class Store(Protocol):
    """What the cashier needs of the payment database."""

    async def add(self, payment: Payment) -> Payment | None:
        """Commit a new payment and its event. The order's payment, and nothing committed, when it has one."""

    async def save(self, payment: Payment, *, entry: tuple[Kind, Money] | None) -> Payment:
        """Commit the next version, its event and ledger entry, and return it with that. Raises PaymentChanged."""

    async def get(self, payment_id: str) -> Payment:
        """Read a payment. Raises PaymentNotFound."""

    async def of_order(self, order_id: str) -> Payment | None:
        """Read the payment of an order."""

    async def open_operation(
        self, payment_id: str, kind: Kind, request_id: str | None, decide: Callable[[Payment], Money]
    ) -> Operation:
        """Commit an operation of the amount that `decide` allows; or find the one of the same request id, open or done.

        `decide` is given the payment under its lock, as if all open operations were done.
        """

    async def close_operation(self, operation: Operation, now: datetime) -> Payment:
        """Commit the operation's effect on the payment, with event and ledger entry, once."""

    async def unsettled(self, older_than: timedelta, limit: int) -> list[str]:
        """List payments that are PENDING for longer than that."""

    async def open_operations(self, older_than: timedelta, limit: int) -> list[Operation]:
        """List operations that are open for longer than that."""


class Cashier:
    """The use cases behind PaymentService."""

    def __init__(
        self,
        store: Store,
        gateway: Gateway,
        clock: Callable[[], datetime],
        new_id: Callable[[], str],
        patience: timedelta,
    ) -> None:
        """`patience`: how long to wait for an answer of the gateway before asking what it did."""
        self._store = store
        self._gateway = gateway
        self._clock = clock
        self._new_id = new_id
        self._patience = patience.total_seconds()

    async def authorize(self, order_id: str, customer_id: str, amount: Money, token: str) -> Payment:
        """Have the amount held for the order, once. PENDING when the gateway can't be reached at all."""
        payment = domain.begin(self._new_id(), order_id, customer_id, amount, self._gateway.name, self._clock())
        existing = await self._store.add(payment)
        if existing is not None:
            return await self._repeated(existing, amount)
        try:
            async with asyncio.timeout(self._patience):
                decision = await self._gateway.authorize(payment.id, amount, token)
        except (GatewayUnreachableError, TimeoutError):
            return _not_cancelled(await self.resolve(payment))
        return _not_cancelled(await self._decided(payment, decision))

    async def resolve(self, payment: Payment) -> Payment:
        """Ask the gateway what became of a PENDING payment, and have it forget a request that never came."""
        if payment.state is not State.PENDING:
            return payment
        try:
            async with asyncio.timeout(self._patience):
                decision = await self._gateway.find(payment.id)
                if decision is None:
                    await self._gateway.cancel(payment.id)
                    decision = Declined(FORGOTTEN)
        except (GatewayUnreachableError, TimeoutError):
            _log.warning("the gateway can't be asked", payment_id=payment.id, gateway=payment.gateway)
            return payment
        return await self._decided(payment, decision)

    async def looked_up(self, payment: Payment) -> Payment:
        """Resolve a payment that is PENDING for so long that nobody waits for the gateway's answer any more."""
        waiting = self._clock() - payment.create_time <= timedelta(seconds=self._patience)
        return payment if waiting else await self.resolve(payment)

    async def cancel_order(self, order_id: str) -> Payment:
        """End whatever was begun for the order with nothing held, or see to it that nothing can begin."""
        payment = await self._store.of_order(order_id)
        if payment is None:
            marker = domain.cancelled_before_begun(self._new_id(), order_id, self._gateway.name, self._clock())
            payment = await self._store.add(marker)
            if payment is None:
                return marker
        try:
            return payment if payment.state is State.FAILED else await self.void(payment)
        except NotAllowed:
            now = await self._store.get(payment.id)
            if now.state is not State.FAILED:
                raise
            return now

    async def void(self, payment: Payment) -> Payment:
        """Give up the hold. Raises NotAllowed once something was captured, or is about to be."""
        if payment.state is State.VOIDED:
            return payment

        def decide(now: Payment) -> Money:
            domain.check_void(now)
            return now.amount

        return await self._carry_out(await self._store.open_operation(payment.id, Kind.VOID, ONE_VOID, decide))

    async def move(self, payment: Payment, kind: Kind, amount: Money | None, request_id: str | None) -> Payment:
        """Capture or refund the amount, or all that is left; once for each request id."""
        check = domain.check_capture if kind is Kind.CAPTURE else domain.check_refund

        def decide(now: Payment) -> Money:
            wanted = amount or domain.left(now, kind)
            check(now, wanted)
            return wanted

        operation = await self._store.open_operation(payment.id, kind, request_id, decide)
        if amount is not None and operation.amount != amount:
            raise domain.RequestIdReused(request_id or "")
        return await self._carry_out(operation)

    async def settle_leftovers(self, older_than: timedelta, limit: int = 20) -> int:
        """Take on what a process that died left behind. Returns how many were looked at."""
        payments = await self._store.unsettled(older_than, limit)
        operations = await self._store.open_operations(older_than, limit)
        for payment_id in payments:
            with _left_for_later(payment_id):
                await self.resolve(await self._store.get(payment_id))
        for operation in operations:
            with _left_for_later(operation.payment_id):
                await self._carry_out(operation)
        return len(payments) + len(operations)

    async def _carry_out(self, operation: Operation) -> Payment:
        payment = await self._store.get(operation.payment_id)
        try:
            async with asyncio.timeout(self._patience):
                await self._ask(payment, operation)
        except (GatewayUnreachableError, TimeoutError) as fault:
            raise unreachable(payment) from fault
        return await self._store.close_operation(operation, self._clock())

    async def _ask(self, payment: Payment, operation: Operation) -> None:
        match operation.kind:
            case Kind.CAPTURE:
                await self._gateway.capture(operation.id, payment.gateway_reference, operation.amount)
            case Kind.REFUND:
                await self._gateway.refund(operation.id, payment.gateway_reference, operation.amount)
            case _:
                await self._gateway.cancel(payment.id)

    async def _repeated(self, existing: Payment, amount: Money) -> Payment:
        if existing.state is State.VOIDED:
            raise domain.PaymentCancelled(existing.order_id)
        if existing.amount != amount:
            raise domain.AmountDiffers(existing)
        return _not_cancelled(await self._awaited(existing))

    async def _awaited(self, payment: Payment) -> Payment:
        """Let a request that is under way elsewhere come to its end before anybody asks what became of it."""
        end = asyncio.get_running_loop().time() + self._patience
        while payment.state is State.PENDING and asyncio.get_running_loop().time() < end:
            await asyncio.sleep(0.05)
            payment = await self._store.get(payment.id)
        return await self.resolve(payment)

    async def _decided(self, payment: Payment, decision: Approved | Declined) -> Payment:
        now = self._clock()
        try:
            if isinstance(decision, Approved):
                done = domain.authorized(payment, decision.reference, now)
                return await self._store.save(done, entry=(Kind.AUTHORIZATION, payment.amount))
            return await self._store.save(domain.failed(payment, decision.reason, now), entry=None)
        except PaymentChanged:
            # Somebody else settled it meanwhile, by the same answer or by cancelling: what they committed holds.
            _log.info("payment was settled by another", payment_id=payment.id)
            return await self._store.get(payment.id)


class Leftovers:
    """The worker that settles what a process that died left behind; any number of instances may run one."""

    def __init__(self, cashier: Cashier, interval: timedelta, older_than: timedelta) -> None:
        """`interval`: how often to look. `older_than`: longer than any living request takes."""
        self._cashier = cashier
        self._interval = interval.total_seconds()
        self._older_than = older_than

    async def run(self, stop: asyncio.Event) -> None:
        """Look until stopped."""
        while not stop.is_set():
            with context.background(actor="service:payment"):
                await self._cashier.settle_leftovers(self._older_than)
            try:
                await asyncio.wait_for(stop.wait(), self._interval)
            except TimeoutError:
                continue


def _not_cancelled(payment: Payment) -> Payment:
    if payment.state is State.VOIDED:
        raise domain.PaymentCancelled(payment.order_id)
    return payment


@contextlib.contextmanager
def _left_for_later(payment_id: str) -> Iterator[None]:
    """Let the trouble of one payment not keep the others from being settled."""
    try:
        yield
    except errors.Error as fault:
        _log.warning("payment not settled yet", payment_id=payment_id, error=str(fault), kind=type(fault).__name__)


def unreachable(payment: Payment) -> errors.Unavailable:
    """Return the error of a gateway that gave no answer; repeating the call is safe."""
    return errors.Unavailable(
        f"gateway {payment.gateway} did not answer; send the request again",
        reason="GATEWAY_UNREACHABLE",
        metadata={"payment_id": payment.id, "gateway": payment.gateway},
        retry_after=timedelta(seconds=1),
    )
