"""Captures, refunds, and gives up holds: each is committed as an operation, asked of the gateway, and closed.

Whoever dies in between leaves an open operation. The gateway knows it by its id, so that asking again settles it.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Protocol

from mesh import errors
from services.common.money import Money
from services.payment.adapters.gateway import Done, GatewayUnreachableError, Movement, Refused
from services.payment.breaker import Guarded
from services.payment.domain import operation as rules
from services.payment.domain.errors import GatewayRefused, RequestIdReused
from services.payment.domain.operation import Open, Operation
from services.payment.domain.payment import Kind, Payment, State
from services.payment.routing import Gateways

ONE = {Kind.VOID: "void", Kind.EXPIRY: "expiry"}
"""The request ids of releases: whoever asks and however often, a hold is given up once."""

Decide = Callable[[Payment, Open], tuple[Money, bool]]


class Store(Protocol):
    """What movements need of the payment database."""

    async def get(self, payment_id: str) -> Payment:
        """Read a payment. Raises PaymentNotFound."""

    async def open_operation(self, payment_id: str, kind: Kind, request_id: str | None, decide: Decide) -> Operation:
        """Commit an operation that `decide` allows; or find the one of the same request id, open or done.

        `decide` is given the payment under its lock, and what is open.
        """

    async def close_operation(self, operation: Operation, outcome: Done | Refused, now: datetime) -> Payment:
        """Commit the operation's effect on the payment, with event and ledger entries, once."""


class Movements:
    """The use cases of a payment that is authorized."""

    def __init__(self, store: Store, gateways: Gateways, clock: Callable[[], datetime]) -> None:
        """Money moves at the gateway that holds it."""
        self._store = store
        self._gateways = gateways
        self._clock = clock

    async def capture(
        self, payment: Payment, amount: Money | None, request_id: str | None, *, final: bool = False
    ) -> Payment:
        """Capture the amount, or all that is left; once for each request id."""
        once = self._gateway(payment).captures_once

        def decide(now: Payment, under_way: Open) -> tuple[Money, bool]:
            return rules.capture(now, under_way, amount, final=final, once=once)

        return await self._move(payment, Kind.CAPTURE, amount, request_id, decide)

    async def refund(self, payment: Payment, amount: Money | None, request_id: str | None) -> Payment:
        """Refund the amount, or all that is left; once for each request id."""

        def decide(now: Payment, under_way: Open) -> tuple[Money, bool]:
            return rules.refund(now, under_way, amount), False

        return await self._move(payment, Kind.REFUND, amount, request_id, decide)

    async def void(self, payment: Payment) -> Payment:
        """Give up the hold, or what captures left of it; nothing left to give up is as good."""
        return await self._release(payment, Kind.VOID)

    async def expire(self, payment: Payment) -> Payment:
        """Give up what is left of a hold that ran out, at the gateway too, so that nothing is held unknown to us."""
        return await self._release(payment, Kind.EXPIRY)

    async def carry_out(self, operation: Operation) -> Payment:
        """Ask the gateway, and commit its answer. Raises GatewayRefused, and Unavailable when it gave none."""
        payment = await self._store.get(operation.payment_id)
        outcome: Done | Refused = Refused(operation.refusal)
        if not operation.done:
            try:
                outcome = await self._ask(self._gateways.named(payment.gateway), payment, operation)
            except GatewayUnreachableError as fault:
                raise self.unreachable(payment) from fault
            payment = await self._store.close_operation(operation, outcome, self._clock())
        if isinstance(outcome, Refused) and outcome.reason:
            raise GatewayRefused(payment, operation.kind, outcome.reason)
        return payment

    @staticmethod
    def unreachable(payment: Payment) -> errors.Unavailable:
        """Return the error of a gateway that gave no answer; repeating the call is safe."""
        return errors.Unavailable(
            f"gateway {payment.gateway} did not answer; send the request again",
            reason="GATEWAY_UNREACHABLE",
            metadata={"payment_id": payment.id, "gateway": payment.gateway},
            retry_after=timedelta(seconds=1),
        )

    async def _move(
        self, payment: Payment, kind: Kind, amount: Money | None, request_id: str | None, decide: Decide
    ) -> Payment:
        operation = await self._store.open_operation(payment.id, kind, request_id, decide)
        if amount is not None and operation.amount != amount:
            raise RequestIdReused(request_id or "")
        return await self.carry_out(operation)

    async def _release(self, payment: Payment, kind: Kind) -> Payment:
        if payment.state in {State.VOIDED, State.EXPIRED} or (payment.captured and not payment.held):
            return payment

        def decide(now: Payment, under_way: Open) -> tuple[Money, bool]:
            return rules.release(now, under_way, kind), True

        return await self.carry_out(await self._store.open_operation(payment.id, kind, ONE[kind], decide))

    def _gateway(self, payment: Payment) -> Guarded:
        try:
            return self._gateways.named(payment.gateway)
        except GatewayUnreachableError as fault:
            raise self.unreachable(payment) from fault

    @staticmethod
    async def _ask(gateway: Guarded, payment: Payment, operation: Operation) -> Done | Refused:
        movement = Movement(
            operation.id, payment.id, payment.gateway_reference, operation.amount, operation.final,
            operation.create_time,
        )  # fmt: skip
        if operation.kind is Kind.CAPTURE:
            return await gateway.capture(movement)
        if operation.kind is Kind.REFUND:
            return await gateway.refund(movement)
        if payment.captured:
            return await gateway.release(movement)
        await gateway.cancel(payment.id, payment.gateway_reference)
        return Done()
