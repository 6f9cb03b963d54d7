"""Units that come back."""

from datetime import datetime

from ordermesh.order.v1 import order_pb2, order_service_pb2_grpc
from ordermesh.order.v1 import order_service_pb2 as pb
from services.order.changes import Decide
from services.order.domain import returns
from services.order.domain.order import Order
from services.order.domain.parts import Units
from services.order.events.writing import return_to_proto
from services.order.service.base import Servicer

_Step = pb.ApproveReturnRequest | pb.RejectReturnRequest | pb.ReceiveReturnRequest


class Returning(Servicer, order_service_pb2_grpc.OrderServiceServicer):
    """From the customer's wish to send something back to its money."""

    async def CreateReturn(self, request: pb.CreateReturnRequest, _: object) -> order_pb2.Return:
        """Ask to send units back; see the contract."""
        units = [Units(line.sku, line.quantity) for line in request.lines]

        def decide(order: Order, part_id: str, now: datetime) -> Order:
            return returns.request_return(order, part_id, request.shipment_id.lower(), units, request.reason, now)

        order, return_id = await self.change(request.order_id, decide, request, request.etag, request.request_id)
        return return_to_proto(returns.find_return(order, return_id))

    async def ApproveReturn(self, request: pb.ApproveReturnRequest, _: object) -> order_pb2.Return:
        """Let it be sent back; see the contract."""
        return await self._step(
            request, lambda order, _, now: returns.approve(order, request.id.lower(), request.note, now)
        )

    async def RejectReturn(self, request: pb.RejectReturnRequest, _: object) -> order_pb2.Return:
        """Turn it down; see the contract."""
        return await self._step(
            request, lambda order, _, now: returns.reject(order, request.id.lower(), request.note, now)
        )

    async def ReceiveReturn(self, request: pb.ReceiveReturnRequest, _: object) -> order_pb2.Return:
        """Note what came; see the contract."""
        found = [
            returns.Inspection(line.sku, line.received_quantity, line.restocked_quantity) for line in request.lines
        ]

        def decide(order: Order, refund_id: str, now: datetime) -> Order:
            return returns.receive(order, request.id.lower(), found, request.note, refund_id, now)

        return await self._step(request, decide)

    async def _step(self, request: _Step, decide: Decide) -> order_pb2.Return:
        order, _part = await self.change(request.order_id, decide, request, request.etag)
        return return_to_proto(returns.find_return(order, request.id.lower()))
