"""Stock over its contract, by gRPC behind the gate: what the servicer adds to the store."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import grpc
import pytest
import pytest_asyncio

from mesh import errors, headers, status
from mesh.contract import Contract
from mesh.gate import Gate
from ordermesh.inventory.v1 import inventory_pb2
from ordermesh.inventory.v1 import inventory_service_pb2 as pb
from ordermesh.inventory.v1 import inventory_service_pb2_grpc as inventory_grpc
from services.common import paging
from services.common.ids import new_id
from services.inventory.service import InventoryService
from services.inventory.store import InventoryStore
from tests.integration.mesh.warehouse import HOST, claims_of
from tests.peers import EDGE, ORDER_SERVICE, SaidPeers

STAFF = {**EDGE, headers.CLAIMS: claims_of(new_id(), "inventory.write", "inventory.read")}


class Inventory:
    """The service as a caller sees it."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        """Use a channel."""
        self._stub: Any = inventory_grpc.InventoryServiceStub(channel)

    async def ask(self, who: dict[str, str], method: str, request: object, **more: str) -> Any:  # noqa: ANN401
        """Call a method; raises the error that was raised there."""
        try:
            return await getattr(self._stub, method)(request, metadata=(*who.items(), *more.items()))
        except grpc.aio.AioRpcError as failure:
            raise status.error_from(failure) from failure


@pytest_asyncio.fixture
async def inventory(store: InventoryStore) -> AsyncIterator[Inventory]:
    """Serve and connect."""
    async with AsyncExitStack() as stack:
        server = grpc.aio.server(interceptors=(Gate(Contract.load(), SaidPeers(), 512),))
        inventory_grpc.add_InventoryServiceServicer_to_server(InventoryService(store), server)
        port = server.add_insecure_port(f"{HOST}:0")
        await server.start()
        stack.push_async_callback(server.stop, None)
        yield Inventory(await stack.enter_async_context(grpc.aio.insecure_channel(f"{HOST}:{port}")))


async def test_stock_is_summed_up_and_shown_by_warehouse(inventory: Inventory) -> None:
    """Anybody may see it; the nearest warehouse is first."""
    await inventory.ask(STAFF, "ReceiveStock", pb.ReceiveStockRequest(sku="A", quantity=3, warehouse_code="far"))
    received = await inventory.ask(STAFF, "ReceiveStock", pb.ReceiveStockRequest(sku="A", quantity=2))
    lines = [pb.ReservationLine(sku="A", quantity=4)]
    await inventory.ask(ORDER_SERVICE, "ReserveStock", pb.ReserveStockRequest(order_id=new_id(), lines=lines))
    stock = await inventory.ask(EDGE, "GetStock", pb.GetStockRequest(sku="A"))
    assert (received.on_hand, stock.on_hand, stock.reserved, stock.available) == (5, 5, 4, 1)
    assert [(each.warehouse_code, each.on_hand, each.reserved) for each in stock.levels] == [
        ("near", 2, 2),
        ("far", 3, 2),
    ]


async def test_a_sku_that_never_arrived_is_not_found_alone_and_zero_among_others(inventory: Inventory) -> None:
    """A page of products shows all of them."""
    await inventory.ask(STAFF, "ReceiveStock", pb.ReceiveStockRequest(sku="A", quantity=3))
    with pytest.raises(errors.NotFound) as refusal:
        await inventory.ask(EDGE, "GetStock", pb.GetStockRequest(sku="none"))
    assert dict(refusal.value.metadata) == {"sku": "none"}
    batch = await inventory.ask(EDGE, "BatchGetStock", pb.BatchGetStockRequest(skus=["none", "A", "none"]))
    assert [(stock.sku, stock.available) for stock in batch.stocks] == [("none", 0), ("A", 3), ("none", 0)]


async def test_a_sku_with_a_nul_is_the_callers_mistake(inventory: Inventory) -> None:
    """It is a valid string of the contract, and none that can be looked for."""
    with pytest.raises(errors.InvalidArgument):
        await inventory.ask(EDGE, "GetStock", pb.GetStockRequest(sku="A\0"))


async def test_a_delivery_is_known_by_its_field_or_its_header(inventory: Inventory) -> None:
    """Booked once; the two must not differ."""
    by_field = pb.ReceiveStockRequest(sku="A", quantity=3, request_id="r1")
    by_header = pb.ReceiveStockRequest(sku="A", quantity=3)
    await inventory.ask(STAFF, "ReceiveStock", by_field)
    stock = await inventory.ask(STAFF, "ReceiveStock", by_header, **{headers.IDEMPOTENCY_KEY: "r1"})
    assert stock.on_hand == 3
    with pytest.raises(errors.InvalidArgument):
        await inventory.ask(STAFF, "ReceiveStock", by_field, **{headers.IDEMPOTENCY_KEY: "r2"})


async def test_warehouses_come_page_by_page(inventory: Inventory) -> None:
    """By priority, then by code."""
    for code, priority in (("w-b", 5), ("w-a", 5)):
        request = pb.CreateWarehouseRequest(code=code, display_name=code, priority=priority)
        assert (await inventory.ask(STAFF, "CreateWarehouse", request)).code == code
    codes: list[str] = []
    token = ""
    for _ in range(4):
        page = await inventory.ask(STAFF, "ListWarehouses", pb.ListWarehousesRequest(page_size=1, page_token=token))
        codes += [warehouse.code for warehouse in page.warehouses]
        token = page.next_page_token
    assert (codes, token) == (["near", "far", "w-a", "w-b"], "")


async def test_a_page_token_that_somebody_made_up_is_refused(inventory: Inventory) -> None:
    """It is no defect of ours."""
    for cursor in ("near", "x/near", "/near"):
        request = pb.ListWarehousesRequest(page_token=paging.encode(cursor, {}))
        with pytest.raises(errors.InvalidArgument):
            await inventory.ask(STAFF, "ListWarehouses", request)


async def test_a_reservation_is_shown_as_it_stands(inventory: Inventory) -> None:
    """To services; users have no business with it."""
    order_id = new_id()
    await inventory.ask(STAFF, "ReceiveStock", pb.ReceiveStockRequest(sku="A", quantity=3))
    with pytest.raises(errors.NotFound):
        await inventory.ask(ORDER_SERVICE, "GetReservation", pb.GetReservationRequest(order_id=order_id))
    lines = [pb.ReservationLine(sku="A", quantity=1)]
    held = await inventory.ask(ORDER_SERVICE, "ReserveStock", pb.ReserveStockRequest(order_id=order_id, lines=lines))
    assert held.state == inventory_pb2.Reservation.HELD
    await inventory.ask(ORDER_SERVICE, "CommitReservation", pb.CommitReservationRequest(order_id=order_id))
    shown = await inventory.ask(ORDER_SERVICE, "GetReservation", pb.GetReservationRequest(order_id=order_id))
    assert (shown.id, shown.state) == (held.id, inventory_pb2.Reservation.COMMITTED)
    with pytest.raises(errors.PermissionDenied):
        await inventory.ask(STAFF, "GetReservation", pb.GetReservationRequest(order_id=order_id))
