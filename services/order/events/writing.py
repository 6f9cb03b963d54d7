"""The contract's form of an order and of what belongs to it, the same in replies and in events."""

from datetime import datetime
from typing import Any, cast

from google.protobuf.timestamp_pb2 import Timestamp
from google.type import postal_address_pb2

from ordermesh.order.v1 import order_pb2
from services.common.protobuf import money_to_proto, timestamp_to_proto
from services.order.domain.notes import Note
from services.order.domain.order import Line, Order
from services.order.domain.parts import LineCancellation, Refund, Rejection, Return, Shipment


def order_to_proto(order: Order) -> order_pb2.Order:
    """Write an order with all its parts."""
    message = order_pb2.Order(
        id=order.id,
        customer_id=order.customer_id,
        state=order_pb2.Order.State.Value(order.state),
        lines=[_line(line) for line in order.lines],
        total=money_to_proto(order.total),
        shipping_address=postal_address_pb2.PostalAddress(**cast("dict[str, Any]", order.shipping_address)),
        payment_id=order.payment_id or "",
        reservation_id=order.reservation_id or "",
        rejection=_rejection(order.rejection),
        cancel_reason=order.cancel_reason,
        etag=order.etag,
        create_time=timestamp_to_proto(order.create_time),
        update_time=timestamp_to_proto(order.update_time),
        items_amount=money_to_proto(order.items),
        shipping_amount=money_to_proto(order.charges.shipping),
        tax_amount=money_to_proto(order.tax),
        tax_included=order.charges.tax_included,
        shipping_tax_amount=money_to_proto(order.charges.shipping_tax),
    )
    return _with_parts(message, order) if order.parts else message


def shipment_to_proto(shipment: Shipment) -> order_pb2.Shipment:
    """Write a shipment."""
    return order_pb2.Shipment(
        id=shipment.id,
        state=order_pb2.Shipment.State.Value(shipment.state),
        lines=[
            order_pb2.ShipmentLine(
                sku=line.sku,
                quantity=line.quantity,
                amount=money_to_proto(line.amount),
                returned_quantity=line.returned,
            )
            for line in shipment.lines
        ],
        carrier=shipment.carrier,
        tracking_number=shipment.tracking_number,
        amount=money_to_proto(shipment.amount),
        final=shipment.final,
        failure=_rejection(shipment.failure),
        create_time=timestamp_to_proto(shipment.create_time),
        ship_time=_time(shipment.ship_time),
        deliver_time=_time(shipment.deliver_time),
    )


def return_to_proto(back: Return) -> order_pb2.Return:
    """Write a return."""
    return order_pb2.Return(
        id=back.id,
        shipment_id=back.shipment_id,
        state=order_pb2.Return.State.Value(back.state),
        lines=[
            order_pb2.ReturnLine(
                sku=line.sku,
                quantity=line.quantity,
                received_quantity=line.received,
                restocked_quantity=line.restocked,
            )
            for line in back.lines
        ],
        reason=back.reason,
        note=back.note,
        refund_id=back.refund_id,
        create_time=timestamp_to_proto(back.create_time),
        update_time=timestamp_to_proto(back.update_time),
    )


def refund_to_proto(refund: Refund) -> order_pb2.Refund:
    """Write a refund."""
    return order_pb2.Refund(
        id=refund.id,
        state=order_pb2.Refund.State.Value(refund.state),
        amount=money_to_proto(refund.amount),
        reason=refund.reason,
        return_id=refund.return_id,
        failure=_rejection(refund.failure),
        create_time=timestamp_to_proto(refund.create_time),
        complete_time=_time(refund.complete_time),
    )


def note_to_proto(note: Note) -> order_pb2.OrderNote:
    """Write a note."""
    return order_pb2.OrderNote(
        id=note.id,
        order_id=note.order_id,
        text=note.text,
        customer_visible=note.customer_visible,
        author=note.author,
        create_time=timestamp_to_proto(note.create_time),
    )


def _with_parts(message: order_pb2.Order, order: Order) -> order_pb2.Order:
    message.shipments.extend(shipment_to_proto(each) for each in order.shipments)
    message.line_cancellations.extend(_cancellation(each) for each in order.line_cancellations)
    message.returns.extend(return_to_proto(each) for each in order.returns)
    message.refunds.extend(refund_to_proto(each) for each in order.refunds)
    message.captured_amount.CopyFrom(money_to_proto(order.captured))
    message.refunded_amount.CopyFrom(money_to_proto(order.refunded))
    return message


def _cancellation(cancellation: LineCancellation) -> order_pb2.LineCancellation:
    return order_pb2.LineCancellation(
        id=cancellation.id,
        state=order_pb2.LineCancellation.State.Value(cancellation.state),
        lines=[order_pb2.OrderUnits(sku=each.sku, quantity=each.quantity) for each in cancellation.lines],
        reason=cancellation.reason,
        amount=money_to_proto(cancellation.amount),
        final=cancellation.final,
        create_time=timestamp_to_proto(cancellation.create_time),
        complete_time=_time(cancellation.complete_time),
    )


def _line(line: Line) -> order_pb2.OrderLine:
    return order_pb2.OrderLine(
        sku=line.sku,
        quantity=line.quantity,
        product_id=line.product_id,
        name=line.name,
        unit_price=money_to_proto(line.unit_price),
        amount=money_to_proto(line.amount),
        tax_amount=None if line.tax is None else money_to_proto(line.tax),
        cancelled_quantity=line.cancelled,
        shipped_quantity=line.shipped,
        returned_quantity=line.returned,
    )


def _rejection(rejection: Rejection | None) -> order_pb2.Rejection | None:
    return None if rejection is None else order_pb2.Rejection(reason=rejection.reason, message=rejection.message)


def _time(moment: datetime | None) -> Timestamp | None:
    return None if moment is None else timestamp_to_proto(moment)
