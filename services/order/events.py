"""What order publishes: the event of each transition, as the contract's message holding the order afterwards."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, cast

from google.protobuf.message import Message
from google.type import postal_address_pb2

from ordermesh.order.v1 import order_events_pb2, order_pb2
from services.common.events import EventRecord
from services.common.protobuf import money_to_proto, timestamp_to_proto
from services.order.domain.order import Line, Order, State

AGGREGATE_TYPE = "order"

_BY_STATE: Mapping[State, Callable[..., Message]] = MappingProxyType(
    {
        State.CONFIRMED: order_events_pb2.OrderConfirmed,
        State.REJECTED: order_events_pb2.OrderRejected,
        State.CANCELLING: order_events_pb2.OrderCancellationRequested,
        State.CANCELLED: order_events_pb2.OrderCancelled,
    }
)


def event_of(order: Order) -> EventRecord:
    """Return the event that made `order` what it is: its version counts the events, its state tells the last one."""
    return EventRecord(AGGREGATE_TYPE, order.id, order.version, _message_type(order)(order=order_to_proto(order)))


def _message_type(order: Order) -> Callable[..., Message]:
    if order.state is State.PENDING:
        return order_events_pb2.OrderCreated if order.version == 1 else order_events_pb2.OrderStockReserved
    return _BY_STATE[order.state]


def order_to_proto(order: Order) -> order_pb2.Order:
    """Return the contract's form of an order, the same in replies and in events."""
    message = order_pb2.Order(
        id=order.id,
        customer_id=order.customer_id,
        state=order_pb2.Order.State.Value(order.state),
        lines=[_line_to_proto(line) for line in order.lines],
        total=money_to_proto(order.total),
        shipping_address=postal_address_pb2.PostalAddress(**cast("dict[str, Any]", order.shipping_address)),
        payment_id=order.payment_id or "",
        reservation_id=order.reservation_id or "",
        cancel_reason=order.cancel_reason,
        etag=order.etag,
        create_time=timestamp_to_proto(order.create_time),
        update_time=timestamp_to_proto(order.update_time),
    )
    if order.rejection is not None:
        message.rejection.reason = order.rejection.reason
        message.rejection.message = order.rejection.message
    return message


def _line_to_proto(line: Line) -> order_pb2.OrderLine:
    return order_pb2.OrderLine(
        sku=line.sku,
        quantity=line.quantity,
        product_id=line.product_id,
        name=line.name,
        unit_price=money_to_proto(line.unit_price),
        amount=money_to_proto(line.amount),
    )
