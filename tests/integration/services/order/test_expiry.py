"""Reservations past their time, with the order service itself asked what became of their orders."""

from datetime import timedelta
from typing import cast

from google.type import postal_address_pb2

from mesh import errors
from ordermesh.order.v1 import order_service_pb2 as pb
from ordermesh.order.v1 import order_service_pb2_grpc as order_grpc
from services.common.ids import new_id
from services.inventory.adapters.orders import OrderService
from services.inventory.expiry import Expiry
from tests.integration.postgres import Postgres
from tests.integration.services.order.shop import Shop, open_shop

HOUR = timedelta(hours=1)
ORDER = pb.CreateOrderRequest(
    lines=[pb.CreateOrderLine(sku="A", quantity=2)],
    shipping_address=postal_address_pb2.PostalAddress(region_code="DE"),
    payment_token="tok_visa",
)


class AsInventory:
    """The order service, called by inventory."""

    def __init__(self, shop: Shop) -> None:
        """Use a shop's."""
        self._call = shop.as_service("inventory")
        self.away = False

    async def BatchGetOrders(self, request: pb.BatchGetOrdersRequest) -> pb.BatchGetOrdersResponse:  # noqa: N802 - gRPC's own
        """Ask it, unless it is away."""
        if self.away:
            raise errors.Unavailable("away")
        reply: pb.BatchGetOrdersResponse = await self._call("BatchGetOrders", request)
        return reply


def make_overdue(postgres: Postgres) -> None:
    """Let time pass for every reservation."""
    with postgres.superuser("inventory") as session:
        session.execute("UPDATE reservations SET expire_time = now() - interval '1 second', lease_until = NULL")


async def test_stock_is_let_go_only_when_its_order_came_to_nothing(postgres: Postgres) -> None:
    """A confirmed order's is held for good; one that was never placed gives its units back; not while order is away."""
    async with open_shop(postgres) as shop:
        await shop.stock.add_warehouse("main", "Main", 0)
        await shop.stock.receive("A", 9, "")
        placed, stranger = await shop.as_user()("CreateOrder", ORDER), new_id()
        await shop.stock.reserve(stranger, {"A": 3})
        make_overdue(postgres)
        orders = AsInventory(shop)
        expiry = Expiry(shop.stock, OrderService(cast("order_grpc.OrderServiceStub", orders)), HOUR, HOUR, HOUR)

        orders.away = True
        assert await expiry.once() == 0
        assert [level.reserved for level in await shop.stock.levels(["A"])] == [5]

        orders.away = False
        make_overdue(postgres)
        assert await expiry.once() == 2
        assert [level.reserved for level in await shop.stock.levels(["A"])] == [2]
        held = await shop.stock.reservation(placed.id)
        assert held is not None
        assert held.firm
        make_overdue(postgres)
        assert await expiry.once() == 0
