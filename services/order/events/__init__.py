"""What order publishes: the event of each transition, as the contract's message holding the order afterwards."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from google.protobuf.message import Message

from ordermesh.order.v1 import order_events_pb2 as pb
from services.common.events import EventRecord, StoredEvent
from services.order.domain.notes import Note
from services.order.domain.order import Change, Order
from services.order.domain.transitions import IllegalTransitionError, Transition
from services.order.events.reading import order_from_proto
from services.order.events.writing import note_to_proto, order_to_proto

__all__ = ["NOTE_CREATED", "event_of", "note_event", "note_to_proto", "order_of", "order_to_proto", "transition_of"]

AGGREGATE_TYPE = "order"
NOTE_AGGREGATE_TYPE = "order_note"

_MESSAGES: Mapping[Transition, tuple[Callable[..., Message], str]] = MappingProxyType(
    {
        Transition.PLACE: (pb.OrderCreated, ""),
        Transition.RESERVE_STOCK: (pb.OrderStockReserved, ""),
        Transition.CONFIRM: (pb.OrderConfirmed, ""),
        Transition.REJECT: (pb.OrderRejected, ""),
        Transition.REQUEST_CANCELLATION: (pb.OrderCancellationRequested, ""),
        Transition.CANCEL: (pb.OrderCancelled, ""),
        Transition.REQUEST_LINE_CANCELLATION: (pb.OrderLineCancellationRequested, "line_cancellation_id"),
        Transition.CANCEL_LINES: (pb.OrderLinesCancelled, "line_cancellation_id"),
        Transition.REQUEST_SHIPMENT: (pb.OrderShipmentRequested, "shipment_id"),
        Transition.SHIP: (pb.OrderShipped, "shipment_id"),
        Transition.REFUSE_SHIPMENT: (pb.OrderShipmentRefused, "shipment_id"),
        Transition.FAIL_SHIPMENT: (pb.OrderShipmentFailed, "shipment_id"),
        Transition.DELIVER: (pb.OrderDelivered, "shipment_id"),
        Transition.REQUEST_RETURN: (pb.OrderReturnRequested, "return_id"),
        Transition.APPROVE_RETURN: (pb.OrderReturnApproved, "return_id"),
        Transition.REJECT_RETURN: (pb.OrderReturnRejected, "return_id"),
        Transition.RECEIVE_RETURN: (pb.OrderReturnReceived, "return_id"),
        Transition.COMPLETE_RETURN: (pb.OrderReturnCompleted, "return_id"),
        Transition.REQUEST_REFUND: (pb.OrderRefundRequested, "refund_id"),
        Transition.REFUND: (pb.OrderRefunded, "refund_id"),
        Transition.FAIL_REFUND: (pb.OrderRefundFailed, "refund_id"),
    }
)
_PACKAGE = "ordermesh.order.v1."
_BY_TYPE: Mapping[str, Transition] = MappingProxyType(
    {f"{_PACKAGE}{getattr(message, '__name__', '')}": transition for transition, (message, _) in _MESSAGES.items()}
)
NOTE_CREATED = pb.OrderNoteCreated.DESCRIPTOR.full_name


def event_of(order: Order) -> EventRecord:
    """Return the event that made `order` what it is: its version counts the events, its change tells the last one."""
    if order.change is None:
        raise IllegalTransitionError(f"order {order.id} was read and has not changed since")
    message, part = _MESSAGES[Transition(order.change.transition)]
    about = {part: order.change.part_id} if part else {}
    return EventRecord(AGGREGATE_TYPE, order.id, order.version, message(order=order_to_proto(order), **about))


def note_event(note: Note) -> EventRecord:
    """Return the event of a new note, the only one it has."""
    return EventRecord(NOTE_AGGREGATE_TYPE, note.id, 1, pb.OrderNoteCreated(note=note_to_proto(note)))


def transition_of(event: StoredEvent) -> Transition:
    """Tell what an order's event tells of. Raises LookupError for one that is none of an order's."""
    return _BY_TYPE[event.type]


def order_of(event: StoredEvent) -> Order:
    """Read the order as it was after an event. Raises LookupError for an event that is none of an order's."""
    transition = transition_of(event)
    message, part = _MESSAGES[transition]
    read = message()
    read.ParseFromString(event.payload)
    change = Change(transition, getattr(read, part) if part else "")
    return order_from_proto(getattr(read, "order"), change)  # noqa: B009 - each kind of event has one
