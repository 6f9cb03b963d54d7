"""Placing, reading and cancelling orders."""

import asyncio
from datetime import UTC, datetime

from google.protobuf.json_format import MessageToDict
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc import status_pb2

from mesh import context, errors, status
from ordermesh.order.v1 import order_pb2, order_service_pb2_grpc
from ordermesh.order.v1 import order_service_pb2 as pb
from services.common import paging
from services.common.idempotency import request_key
from services.order.domain import fulfilment, placing
from services.order.domain.order import Order, State
from services.order.domain.parts import Units
from services.order.events import order_to_proto
from services.order.placement import Request
from services.order.service.base import Servicer, fingerprint, seconds_left

_GONE = frozenset({State.CANCELLING, State.CANCELLED})


class Ordering(Servicer, order_service_pb2_grpc.OrderServiceServicer):
    """From the customer's wish to its outcome, and back."""

    async def CreateOrder(self, request: pb.CreateOrderRequest, _: object) -> order_pb2.Order:
        """Place an order; see the contract."""
        return await self._place(request, context.current().idempotency_key)

    async def BatchCreateOrders(self, request: pb.BatchCreateOrdersRequest, _: object) -> pb.BatchCreateOrdersResponse:
        """Place several orders; see the contract."""
        outcomes = await asyncio.gather(*(self._outcome(each) for each in request.requests))
        return pb.BatchCreateOrdersResponse(outcomes=outcomes)

    async def GetOrder(self, request: pb.GetOrderRequest, _: object) -> order_pb2.Order:
        """Give one order; see the contract."""
        return order_to_proto(await self.visible(request.id))

    async def BatchGetOrders(self, request: pb.BatchGetOrdersRequest, _: object) -> pb.BatchGetOrdersResponse:
        """Give several orders to a service; see the contract."""
        found = {order.id: order for order in await self.rooms.store.batch(request.ids)}
        asked = (each.lower() for each in request.ids)
        return pb.BatchGetOrdersResponse(orders=[order_to_proto(found[each]) for each in asked if each in found])

    async def ListOrders(self, request: pb.ListOrdersRequest, _: object) -> pb.ListOrdersResponse:
        """Give a page of orders; see the contract."""
        caller = context.current().caller
        filters = {
            "owner": None if caller.unrestricted else caller.user_id,
            "customer_id": request.customer_id or None,
            "state": order_pb2.Order.State.Name(request.state) if request.state else None,
        }
        begin = _moment(request.create_time_from, is_there=request.HasField("create_time_from"))
        end = _moment(request.create_time_before, is_there=request.HasField("create_time_before"))
        made_for = {**filters, "from": str(begin), "before": str(end)}
        size = paging.page_size(request.page_size)
        after = paging.decode(request.page_token, made_for)
        found = await self.rooms.store.page(filters, after=after, limit=size + 1, period=(begin, end))
        reply = pb.ListOrdersResponse(orders=[order_to_proto(order) for order in found[:size]])
        if len(found) > size:
            reply.next_page_token = paging.encode(found[size - 1].id, made_for)
        return reply

    async def CancelOrder(self, request: pb.CancelOrderRequest, _: object) -> order_pb2.Order:
        """Cancel an order; see the contract."""

        def decide(order: Order, _: str, now: datetime) -> Order:
            return order if order.state in _GONE else placing.request_cancellation(order, request.reason, now)

        order, _part = await self.change(request.id, decide, request, request.etag)
        return order_to_proto(order)

    async def CancelOrderLines(self, request: pb.CancelOrderLinesRequest, _: object) -> order_pb2.Order:
        """Cancel units of an order; see the contract."""
        units = [Units(line.sku, line.quantity) for line in request.lines]

        def decide(order: Order, part_id: str, now: datetime) -> Order:
            return fulfilment.request_line_cancellation(order, part_id, units, request.reason, now)

        order, _part = await self.change(request.id, decide, request, request.etag, request.request_id)
        return order_to_proto(order)

    async def _outcome(self, request: pb.CreateOrderRequest) -> pb.CreateOrderOutcome:
        try:
            return pb.CreateOrderOutcome(order=await self._place(request, None))
        except errors.Error as error:
            details = status.details_of(error, context.current().request_id)
            return pb.CreateOrderOutcome(error=status_pb2.Status.FromString(details))

    async def _place(self, request: pb.CreateOrderRequest, idempotency_key: str | None) -> order_pb2.Order:
        call = context.current()
        if not call.caller.user_id:
            raise errors.PermissionDenied("orders are placed by users", reason="CUSTOMER_REQUIRED")
        wanted = Request(
            customer_id=call.caller.user_id,
            wanted=[(line.sku, line.quantity) for line in request.lines],
            shipping_address=MessageToDict(request.shipping_address, preserving_proto_field_name=True),
            payment_token=request.payment_token,
            currency_code=request.currency_code or self.rooms.default_currency,
            idempotency_key=request_key(request.request_id, idempotency_key),
            fingerprint=fingerprint(request),
        )
        return order_to_proto(await self.rooms.placement.place(wanted, seconds_left(call)))


def _moment(given: Timestamp, *, is_there: bool) -> datetime | None:
    return given.ToDatetime(UTC) if is_there else None
