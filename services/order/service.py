"""The gRPC servicer: turns the contract's messages into what the order service does, and back."""

import time

from google.protobuf import any_pb2
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from mesh import context, errors
from ordermesh.order.v1 import order_pb2, order_service_pb2_grpc
from ordermesh.order.v1 import order_service_pb2 as pb
from services.common import paging
from services.common.events import StoredEvent
from services.common.idempotency import request_key
from services.common.protobuf import timestamp_to_proto
from services.order.cancellation import Cancellation
from services.order.domain.errors import OrderNotFound
from services.order.domain.order import Order
from services.order.events import order_to_proto
from services.order.placement import Placement, Request, fingerprint
from services.order.store import OrderStore

_MARGIN_SECONDS = 0.5
"""Kept back of the caller's deadline, so that the answer still arrives."""


class OrderService(order_service_pb2_grpc.OrderServiceServicer):
    """Shapes are checked by the contract before a method here is entered; ownership is checked here."""

    def __init__(
        self, placement: Placement, cancellation: Cancellation, store: OrderStore, default_currency: str
    ) -> None:
        """`default_currency`: ISO 4217 code for orders that name none."""
        self._placement = placement
        self._cancellation = cancellation
        self._store = store
        self._default_currency = default_currency

    async def CreateOrder(self, request: pb.CreateOrderRequest, _: object) -> order_pb2.Order:
        """Place an order; see the contract."""
        call = context.current()
        if not call.caller.user_id:
            raise errors.PermissionDenied("orders are placed by users", reason="CUSTOMER_REQUIRED")
        wanted = Request(
            customer_id=call.caller.user_id,
            wanted=[(line.sku, line.quantity) for line in request.lines],
            shipping_address=MessageToDict(request.shipping_address, preserving_proto_field_name=True),
            payment_token=request.payment_token,
            currency_code=request.currency_code or self._default_currency,
            idempotency_key=request_key(request.request_id, call.idempotency_key),
            fingerprint=fingerprint(_content(request)),
        )
        return order_to_proto(await self._placement.place(wanted, _seconds_left(call)))

    async def GetOrder(self, request: pb.GetOrderRequest, _: object) -> order_pb2.Order:
        """Give one order; see the contract."""
        return order_to_proto(await self._visible(request.id))

    async def BatchGetOrders(self, request: pb.BatchGetOrdersRequest, _: object) -> pb.BatchGetOrdersResponse:
        """Give several orders to a service; see the contract."""
        found = {order.id: order for order in await self._store.batch(request.ids)}
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
        size = paging.page_size(request.page_size)
        after = paging.decode(request.page_token, filters)
        found = await self._store.page(filters, after=after, limit=size + 1)
        reply = pb.ListOrdersResponse(orders=[order_to_proto(order) for order in found[:size]])
        if len(found) > size:
            reply.next_page_token = paging.encode(found[size - 1].id, filters)
        return reply

    async def CancelOrder(self, request: pb.CancelOrderRequest, _: object) -> order_pb2.Order:
        """Cancel an order; see the contract."""
        order = await self._visible(request.id)
        left = _seconds_left(context.current())
        return order_to_proto(await self._cancellation.cancel(order, request.reason, request.etag, left))

    async def ListOrderEvents(self, request: pb.ListOrderEventsRequest, _: object) -> pb.ListOrderEventsResponse:
        """Give a page of an order's events; see the contract."""
        await self._visible(request.id)
        filters = {"order": request.id}
        size = paging.page_size(request.page_size)
        after = paging.number(paging.decode(request.page_token, filters) or "0")
        found = await self._store.events(request.id, after=after, limit=size + 1)
        reply = pb.ListOrderEventsResponse(events=[_event_to_proto(event) for event in found[:size]])
        if len(found) > size:
            reply.next_page_token = paging.encode(str(found[size - 1].sequence), filters)
        return reply

    async def _visible(self, order_id: str) -> Order:
        order = await self._store.get(order_id)
        if not context.current().caller.can_see(order.customer_id):
            raise OrderNotFound(order_id)
        return order


def _content(request: Message) -> bytes:
    content = type(request)()
    content.CopyFrom(request)
    content.ClearField("request_id")
    return content.SerializeToString(deterministic=True)


def _seconds_left(call: context.Call) -> float:
    if call.deadline is None:
        return 15.0
    return max(call.deadline - time.monotonic() - _MARGIN_SECONDS, 0.0)


def _event_to_proto(event: StoredEvent) -> pb.OrderEvent:
    return pb.OrderEvent(
        id=event.id,
        sequence=event.sequence,
        type=event.type,
        actor=event.actor,
        request_id=event.request_id or "",
        occur_time=timestamp_to_proto(event.occurred_at),
        payload=any_pb2.Any(type_url=f"type.googleapis.com/{event.type}", value=event.payload),
    )
