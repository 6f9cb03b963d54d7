"""What became of orders, by the order service."""

from collections.abc import Sequence

from ordermesh.order.v1 import order_pb2
from ordermesh.order.v1 import order_service_pb2 as order
from ordermesh.order.v1 import order_service_pb2_grpc as order_grpc
from services.inventory.expiry import Fate

_FATES = {
    order_pb2.Order.PENDING: Fate.OPEN,
    order_pb2.Order.CANCELLING: Fate.OPEN,
    order_pb2.Order.REJECTED: Fate.OVER,
    order_pb2.Order.CANCELLED: Fate.OVER,
}


class OrderService:
    """The order service as expiry.Orders."""

    def __init__(self, stub: order_grpc.OrderServiceStub) -> None:
        """`stub` acts for this service."""
        self._stub = stub

    async def fates(self, order_ids: Sequence[str]) -> dict[str, Fate]:
        """Ask for at most 100 orders. Raises mesh.errors while order can't answer."""
        if not order_ids:
            return {}
        reply = await self._stub.BatchGetOrders(order.BatchGetOrdersRequest(ids=order_ids))
        known = {each.id: _FATES.get(each.state, Fate.GOES_ON) for each in reply.orders}
        return {order_id: known.get(order_id, Fate.OVER) for order_id in order_ids}
