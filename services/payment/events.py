"""What payment publishes, and the contract's form of a payment."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from google.protobuf.message import Message

from ordermesh.payment.v1 import payment_events_pb2 as pb
from ordermesh.payment.v1 import payment_pb2
from services.common.events import EventRecord
from services.common.protobuf import money_to_proto, timestamp_to_proto
from services.payment.domain.payment import Change, Dispute, Kind, LedgerEntry, Payment, State

AGGREGATE_TYPE = "payment"

# Of movements that tell how much moved.
_MOVED: Mapping[Kind, Any] = MappingProxyType(
    {
        Kind.CAPTURE: pb.PaymentCaptured,
        Kind.REFUND: pb.PaymentRefunded,
        Kind.EXPIRY: pb.PaymentAuthorizationExpired,
        Kind.CAPTURE_REVERSAL: pb.PaymentCaptureFailed,
        Kind.REFUND_REVERSAL: pb.PaymentRefundFailed,
    }
)
_BECAME: Mapping[State, Any] = MappingProxyType(
    {State.PENDING: pb.PaymentInitiated, State.AUTHORIZED: pb.PaymentAuthorized, State.FAILED: pb.PaymentFailed}
)


def event_of(change: Change) -> EventRecord:
    """Return the event that made the payment what it is."""
    return EventRecord(AGGREGATE_TYPE, change.payment.id, change.payment.version, _message(change))


def _message(change: Change) -> Message:
    now = payment_to_proto(change.payment)
    if change.dispute is not None:
        return pb.PaymentDisputed(payment=now, dispute=dispute_to_proto(change.dispute))
    for entry in change.entries[:1]:
        if message := _MOVED.get(entry.kind):
            told: Message = message(payment=now, amount=money_to_proto(entry.amount))
            return told
        if entry.kind is Kind.VOID:
            return pb.PaymentVoided(payment=now)
    became: Message = _BECAME.get(change.payment.state, pb.PaymentVoided)(payment=now)
    return became


def payment_to_proto(payment: Payment) -> payment_pb2.Payment:
    """Return the contract's form of a payment, the same in replies and in events."""
    message = payment_pb2.Payment(
        id=payment.id,
        order_id=payment.order_id,
        customer_id=payment.customer_id or "",
        state=payment_pb2.Payment.State.Value(payment.state),
        amount=money_to_proto(payment.amount),
        authorized_amount=money_to_proto(payment.authorized),
        captured_amount=money_to_proto(payment.captured),
        refunded_amount=money_to_proto(payment.refunded),
        voided_amount=money_to_proto(payment.voided),
        gateway=payment.gateway,
        gateway_reference=payment.gateway_reference,
        failure_reason=payment.failure_reason,
        ledger=[_entry_to_proto(entry) for entry in payment.ledger],
        create_time=timestamp_to_proto(payment.create_time),
        update_time=timestamp_to_proto(payment.update_time),
    )
    if payment.charged_back:
        message.charged_back_amount.CopyFrom(money_to_proto(payment.charged_back))
    if payment.expire_time is not None and payment.held:
        message.expire_time.CopyFrom(timestamp_to_proto(payment.expire_time))
    return message


def dispute_to_proto(dispute: Dispute) -> payment_pb2.Dispute:
    """Return the contract's form of a dispute."""
    return payment_pb2.Dispute(
        id=dispute.id,
        payment_id=dispute.payment_id,
        gateway_reference=dispute.reference,
        state=payment_pb2.Dispute.State.Value(dispute.state),
        amount=money_to_proto(dispute.amount),
        reason=dispute.reason,
        create_time=timestamp_to_proto(dispute.create_time),
        update_time=timestamp_to_proto(dispute.update_time),
    )


def _entry_to_proto(entry: LedgerEntry) -> payment_pb2.LedgerEntry:
    return payment_pb2.LedgerEntry(
        id=entry.id,
        kind=payment_pb2.LedgerEntry.Kind.Value(entry.kind),
        amount=money_to_proto(entry.amount),
        create_time=timestamp_to_proto(entry.create_time),
        gateway_reference=entry.reference,
    )
