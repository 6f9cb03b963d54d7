"""An order as an event has it, read back: what rebuilding stands on. Events of the first installs read as well."""

from datetime import UTC, datetime

from google.protobuf.json_format import MessageToDict
from google.protobuf.timestamp_pb2 import Timestamp

from ordermesh.order.v1 import order_pb2
from services.common.protobuf import money_from_proto
from services.order.domain.order import Change, Charges, Line, Order, State
from services.order.domain.parts import (
    LineCancellation,
    Progress,
    Refund,
    Rejection,
    Return,
    ReturnLine,
    ReturnState,
    Shipment,
    ShipmentLine,
    ShipmentState,
    Units,
)


def order_from_proto(message: order_pb2.Order, change: Change) -> Order:
    """Read an order with all its parts."""
    return Order(
        id=message.id,
        customer_id=message.customer_id,
        state=State(order_pb2.Order.State.Name(message.state)),
        lines=tuple(_line(line) for line in message.lines),
        charges=_charges(message),
        total=money_from_proto(message.total),
        shipping_address=MessageToDict(message.shipping_address, preserving_proto_field_name=True),
        version=int(message.etag),
        create_time=_time(message.create_time),
        update_time=_time(message.update_time),
        payment_id=message.payment_id or None,
        reservation_id=message.reservation_id or None,
        rejection=_rejection(message.rejection) if message.HasField("rejection") else None,
        cancel_reason=message.cancel_reason,
        shipments=tuple(_shipment(each) for each in message.shipments),
        line_cancellations=tuple(_cancellation(each) for each in message.line_cancellations),
        returns=tuple(_return(each) for each in message.returns),
        refunds=tuple(_refund(each) for each in message.refunds),
        change=change,
    )


def _charges(message: order_pb2.Order) -> Charges:
    if not message.HasField("shipping_amount"):
        return Charges.none(message.total.currency_code)
    shipping, tax = money_from_proto(message.shipping_amount), money_from_proto(message.shipping_tax_amount)
    return Charges(shipping, tax, message.tax_included)


def _line(line: order_pb2.OrderLine) -> Line:
    return Line(
        sku=line.sku,
        quantity=line.quantity,
        product_id=line.product_id,
        name=line.name,
        unit_price=money_from_proto(line.unit_price),
        tax=money_from_proto(line.tax_amount) if line.HasField("tax_amount") else None,
        cancelled=line.cancelled_quantity,
        shipped=line.shipped_quantity,
        returned=line.returned_quantity,
    )


def _shipment(shipment: order_pb2.Shipment) -> Shipment:
    return Shipment(
        id=shipment.id,
        state=ShipmentState(order_pb2.Shipment.State.Name(shipment.state)),
        lines=tuple(
            ShipmentLine(line.sku, line.quantity, money_from_proto(line.amount), line.returned_quantity)
            for line in shipment.lines
        ),
        carrier=shipment.carrier,
        tracking_number=shipment.tracking_number,
        amount=money_from_proto(shipment.amount),
        final=shipment.final,
        create_time=_time(shipment.create_time),
        failure=_rejection(shipment.failure) if shipment.HasField("failure") else None,
        ship_time=_time(shipment.ship_time) if shipment.HasField("ship_time") else None,
        deliver_time=_time(shipment.deliver_time) if shipment.HasField("deliver_time") else None,
    )


def _cancellation(cancellation: order_pb2.LineCancellation) -> LineCancellation:
    return LineCancellation(
        id=cancellation.id,
        state=Progress(order_pb2.LineCancellation.State.Name(cancellation.state)),
        lines=tuple(Units(each.sku, each.quantity) for each in cancellation.lines),
        reason=cancellation.reason,
        amount=money_from_proto(cancellation.amount),
        final=cancellation.final,
        create_time=_time(cancellation.create_time),
        complete_time=_time(cancellation.complete_time) if cancellation.HasField("complete_time") else None,
    )


def _return(back: order_pb2.Return) -> Return:
    return Return(
        id=back.id,
        shipment_id=back.shipment_id,
        state=ReturnState(order_pb2.Return.State.Name(back.state)),
        lines=tuple(
            ReturnLine(line.sku, line.quantity, line.received_quantity, line.restocked_quantity) for line in back.lines
        ),
        reason=back.reason,
        create_time=_time(back.create_time),
        update_time=_time(back.update_time),
        note=back.note,
        refund_id=back.refund_id,
    )


def _refund(refund: order_pb2.Refund) -> Refund:
    return Refund(
        id=refund.id,
        state=Progress(order_pb2.Refund.State.Name(refund.state)),
        amount=money_from_proto(refund.amount),
        reason=refund.reason,
        create_time=_time(refund.create_time),
        return_id=refund.return_id,
        failure=_rejection(refund.failure) if refund.HasField("failure") else None,
        complete_time=_time(refund.complete_time) if refund.HasField("complete_time") else None,
    )


def _rejection(message: order_pb2.Rejection) -> Rejection:
    return Rejection(message.reason, message.message)


def _time(message: Timestamp) -> datetime:
    return message.ToDatetime(UTC)
