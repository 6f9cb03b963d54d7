"""Shipping orders and giving money back."""

from datetime import datetime

from ordermesh.order.v1 import order_pb2, order_service_pb2_grpc
from ordermesh.order.v1 import order_service_pb2 as pb
from services.common.protobuf import money_from_proto
from services.order.domain import fulfilment, refunds
from services.order.domain.order import Order
from services.order.domain.parts import Units
from services.order.events.writing import refund_to_proto, shipment_to_proto
from services.order.service.base import Servicer


class Fulfilling(Servicer, order_service_pb2_grpc.OrderServiceServicer):
    """What staff do with a confirmed order."""

    async def CreateShipment(self, request: pb.CreateShipmentRequest, _: object) -> order_pb2.Shipment:
        """Send units; see the contract."""
        units = tuple(Units(line.sku, line.quantity) for line in request.lines)
        parcel = fulfilment.Parcel(units, request.carrier, request.tracking_number)

        def decide(order: Order, part_id: str, now: datetime) -> Order:
            return fulfilment.request_shipment(order, part_id, parcel, now)

        order, shipment_id = await self.change(request.order_id, decide, request, request.etag, request.request_id)
        return shipment_to_proto(fulfilment.find_shipment(order, shipment_id))

    async def DeliverShipment(self, request: pb.DeliverShipmentRequest, _: object) -> order_pb2.Shipment:
        """Note that it arrived; see the contract."""
        shipment_id = request.id.lower()

        def decide(order: Order, _: str, now: datetime) -> Order:
            return fulfilment.deliver(order, shipment_id, now)

        order, _part = await self.change(request.order_id, decide, request, request.etag)
        return shipment_to_proto(fulfilment.find_shipment(order, shipment_id))

    async def CreateRefund(self, request: pb.CreateRefundRequest, _: object) -> order_pb2.Refund:
        """Give money back; see the contract."""
        amount = money_from_proto(request.amount, "amount") if request.HasField("amount") else None

        def decide(order: Order, part_id: str, now: datetime) -> Order:
            return refunds.request_refund(order, part_id, amount, request.reason, now)

        order, refund_id = await self.change(request.order_id, decide, request, request.etag, request.request_id)
        return refund_to_proto(refunds.find_refund(order, refund_id))
