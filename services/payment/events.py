"""What payment publishes, and the contract's form of a payment."""

from google.protobuf.message import Message

from ordermesh.payment.v1 import payment_events_pb2, payment_pb2
from services.common.events import EventRecord
from services.common.money import Money
from services.common.protobuf import money_to_proto, timestamp_to_proto
from services.payment.domain import Kind, LedgerEntry, Payment, State

AGGREGATE_TYPE = "payment"


def event_of(payment: Payment, moved: tuple[Kind, Money] | None) -> EventRecord:
    """Return the event that made the payment what it is; `moved` is the money that moved with it, if any did."""
    return EventRecord(AGGREGATE_TYPE, payment.id, payment.version, _message(payment, moved))


def _message(payment: Payment, moved: tuple[Kind, Money] | None) -> Message:
    now = payment_to_proto(payment)
    if moved is not None and moved[0] is Kind.CAPTURE:
        return payment_events_pb2.PaymentCaptured(payment=now, amount=money_to_proto(moved[1]))
    if moved is not None and moved[0] is Kind.REFUND:
        return payment_events_pb2.PaymentRefunded(payment=now, amount=money_to_proto(moved[1]))
    message_type = {
        State.PENDING: payment_events_pb2.PaymentInitiated,
        State.AUTHORIZED: payment_events_pb2.PaymentAuthorized,
        State.VOIDED: payment_events_pb2.PaymentVoided,
        State.FAILED: payment_events_pb2.PaymentFailed,
    }[payment.state]
    return message_type(payment=now)


def payment_to_proto(payment: Payment) -> payment_pb2.Payment:
    """Return the contract's form of a payment, the same in replies and in events."""
    return payment_pb2.Payment(
        id=payment.id,
        order_id=payment.order_id,
        customer_id=payment.customer_id or "",
        state=payment_pb2.Payment.State.Value(payment.state),
        amount=money_to_proto(payment.amount),
        authorized_amount=money_to_proto(payment.authorized),
        captured_amount=money_to_proto(payment.captured),
        refunded_amount=money_to_proto(payment.refunded),
        gateway=payment.gateway,
        gateway_reference=payment.gateway_reference,
        failure_reason=payment.failure_reason,
        ledger=[_entry_to_proto(entry) for entry in payment.ledger],
        create_time=timestamp_to_proto(payment.create_time),
        update_time=timestamp_to_proto(payment.update_time),
    )


def _entry_to_proto(entry: LedgerEntry) -> payment_pb2.LedgerEntry:
    return payment_pb2.LedgerEntry(
        id=entry.id,
        kind=payment_pb2.LedgerEntry.Kind.Value(entry.kind),
        amount=money_to_proto(entry.amount),
        create_time=timestamp_to_proto(entry.create_time),
    )
