"""Brings the books in line with what a gateway tells. A fact changes what is left to change, otherwise nothing."""

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from mesh.telemetry import get_logger
from services.common.money import Money
from services.payment.adapters.gateway import Approved, Declined, Done, Refused
from services.payment.cashier import Cashier
from services.payment.domain import operation as operations
from services.payment.domain import transitions
from services.payment.domain.facts import (
    Authorized,
    Disputed,
    Fact,
    HoldEnded,
    Moved,
    NotAuthorized,
    Subject,
    TooEarlyError,
)
from services.payment.domain.operation import Open, Operation
from services.payment.domain.payment import Change, Dispute, Kind, Payment, State
from services.payment.movements import ONE, Decide
from services.payment.routing import Gateways

_log = get_logger(__name__)

ENDED = (State.FAILED, State.VOIDED)


class Store(Protocol):
    """What the bookkeeper needs of the payment database."""

    async def of_id(self, payment_id: str) -> Payment | None:
        """Read a payment that may not be there."""

    async def of_reference(self, reference: str) -> Payment | None:
        """Read the payment that a gateway has under its reference."""

    async def operation(self, operation_id: str) -> Operation | None:
        """Read an operation that may not be there."""

    async def open_operation(self, payment_id: str, kind: Kind, request_id: str | None, decide: Decide) -> Operation:
        """Commit an operation that `decide` allows; or find the one of the same request id, open or done."""

    async def close_operation(self, operation: Operation, outcome: Done | Refused, now: datetime) -> Payment:
        """Commit the operation's effect on the payment, with event and ledger entries, once."""

    async def change(self, payment_id: str, decide: Callable[[Payment, Open], Change | None]) -> Payment:
        """Commit what `decide` makes of the payment under its lock, if anything."""

    async def change_dispute(
        self, payment_id: str, reference: str, decide: Callable[[Payment, Dispute | None], Change | None]
    ) -> Payment:
        """Commit what `decide` makes of the payment and its dispute of that reference, under the payment's lock."""


class Bookkeeper:
    """Notes facts."""

    def __init__(
        self,
        store: Store,
        cashier: Cashier,
        gateways: Gateways,
        clock: Callable[[], datetime],
        new_id: Callable[[], str],
    ) -> None:
        """`cashier` settles payments, `gateways` are told to let go of what is held for nothing."""
        self._store = store
        self._cashier = cashier
        self._gateways = gateways
        self._clock = clock
        self._new_id = new_id

    async def note(self, gateway: str, fact: Fact) -> None:
        """Act upon one. Raises TooEarlyError for what is about something that isn't known yet."""
        match fact:
            case Authorized():
                await self._authorized(gateway, fact)
            case NotAuthorized():
                await self._not_authorized(gateway, fact)
            case HoldEnded():
                await self._hold_ended(fact)
            case Moved():
                await self._moved(fact)
            case Disputed():
                await self._disputed(fact)

    async def _authorized(self, gateway: str, fact: Authorized) -> None:
        """The answer to a payment that waits for it. A hold that nobody wants any more is given back."""
        payment = await self._payment(fact.subject)
        if payment.state is State.PENDING and payment.gateway == gateway:
            payment = await self._cashier.settle(payment, Approved(fact.subject.reference, fact.expire_time))
        elsewhere = payment.gateway != gateway
        if elsewhere or (payment.state in ENDED and not payment.authorized):
            _log.warning("a hold that nobody waits for is given back", payment_id=payment.id, gateway=gateway)
            await self._gateways.named(gateway).cancel(payment.id, fact.subject.reference)

    async def _not_authorized(self, gateway: str, fact: NotAuthorized) -> None:
        payment = await self._payment(fact.subject)
        if payment.state is State.PENDING and payment.gateway == gateway:
            await self._cashier.settle(payment, Declined(fact.reason))

    async def _hold_ended(self, fact: HoldEnded) -> None:
        """The gateway ended it, by itself or as we asked; an operation of ours that is open is closed by that."""
        payment = await self._payment(fact.subject)
        if payment.state is State.PENDING:
            await self._cashier.resolve(payment)
            return
        if not payment.held:
            return
        kind = Kind.EXPIRY if fact.expired else Kind.VOID

        def decide(now: Payment, under_way: Open) -> tuple[Money, bool]:
            return operations.release(now, under_way, kind), True

        operation = await self._store.open_operation(payment.id, kind, ONE[kind], decide)
        await self._store.close_operation(operation, Done(), self._clock())

    async def _moved(self, fact: Moved) -> None:
        operation = await self._store.operation(fact.operation_id)
        if operation is None:
            raise TooEarlyError("OPERATION_UNKNOWN")
        if not operation.done:
            outcome = Refused(fact.failure) if fact.failure else Done(fact.reference)
            await self._store.close_operation(operation, outcome, self._clock())
        elif fact.failure and not operation.refusal and operation.kind in {Kind.CAPTURE, Kind.REFUND}:
            await self._reverse(operation)

    async def _reverse(self, operation: Operation) -> None:
        reversals = {Kind.CAPTURE_REVERSAL, Kind.REFUND_REVERSAL}

        def decide(payment: Payment, under_way: Open) -> Change | None:
            if any(e.operation_id == operation.id and e.kind in reversals for e in payment.ledger):
                return None
            return operations.reversal(operation, payment, under_way, self._clock())

        await self._store.change(operation.payment_id, decide)

    async def _disputed(self, fact: Disputed) -> None:
        payment = await self._payment(fact.subject)

        def decide(now: Payment, known: Dispute | None) -> Change | None:
            return self._with_dispute(now, fact, known)

        await self._store.change_dispute(payment.id, fact.reference, decide)

    def _with_dispute(self, payment: Payment, fact: Disputed, known: Dispute | None) -> Change | None:
        now = self._clock()
        booked = {(entry.kind, entry.reference) for entry in payment.ledger}
        funds = (fact.funds, fact.movement) if fact.funds else None
        if funds in booked:
            funds = None
        if funds and funds[0] is Kind.CHARGEBACK_REVERSAL and payment.charged_back < fact.amount:
            raise TooEarlyError("CHARGEBACK_UNKNOWN")
        state = max(fact.state, known.state, key=lambda each: each.rank) if known else fact.state
        if known and known.state is state and funds is None:
            return None
        dispute = Dispute(
            known.id if known else self._new_id(), payment.id, fact.reference, state, fact.amount,
            fact.reason or (known.reason if known else ""), known.create_time if known else now, now,
        )  # fmt: skip
        return transitions.disputed(payment, dispute, funds, now)

    async def _payment(self, subject: Subject) -> Payment:
        payment = await self._store.of_id(subject.payment_id) if subject.payment_id else None
        if payment is None and subject.reference:
            payment = await self._store.of_reference(subject.reference)
        if payment is None:
            raise TooEarlyError("PAYMENT_UNKNOWN")
        return payment
