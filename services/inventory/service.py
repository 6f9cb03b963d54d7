"""The gRPC servicer: turns the contract's messages into what the inventory service does, and back."""

from mesh import context
from ordermesh.inventory.v1 import inventory_pb2, inventory_service_pb2_grpc
from ordermesh.inventory.v1 import inventory_service_pb2 as pb
from services.common import paging
from services.common.idempotency import request_key
from services.inventory.domain import ReservationNotFound, StockNotFound
from services.inventory.events import reservation_to_proto, stock_to_proto, warehouse_to_proto
from services.inventory.store import InventoryStore


class InventoryService(inventory_service_pb2_grpc.InventoryServiceServicer):
    """Shapes are checked by the contract before a method here is entered."""

    def __init__(self, store: InventoryStore) -> None:
        """`store` holds all rules that need a lock."""
        self._store = store

    async def CreateWarehouse(self, request: pb.CreateWarehouseRequest, _: object) -> inventory_pb2.Warehouse:
        """Create a warehouse; see the contract."""
        warehouse = await self._store.add_warehouse(request.code, request.display_name, request.priority)
        return warehouse_to_proto(warehouse)

    async def ListWarehouses(self, request: pb.ListWarehousesRequest, _: object) -> pb.ListWarehousesResponse:
        """Give a page of warehouses; see the contract."""
        size = paging.page_size(request.page_size)
        cursor = paging.decode(request.page_token, {})
        found = await self._store.warehouses(cursor, size + 1)
        reply = pb.ListWarehousesResponse(warehouses=[warehouse_to_proto(warehouse) for warehouse in found[:size]])
        if len(found) > size:
            reply.next_page_token = paging.encode(f"{found[size - 1].priority}/{found[size - 1].code}", {})
        return reply

    async def ReceiveStock(self, request: pb.ReceiveStockRequest, _: object) -> inventory_pb2.Stock:
        """Book units that arrived; see the contract."""
        request_id = request_key(request.request_id, context.current().idempotency_key)
        await self._store.receive(request.sku, request.quantity, request.warehouse_code, request_id)
        return stock_to_proto(request.sku, await self._store.levels([request.sku]))

    async def GetStock(self, request: pb.GetStockRequest, _: object) -> inventory_pb2.Stock:
        """Give the stock of a SKU; see the contract."""
        levels = await self._store.levels([request.sku])
        if not levels:
            raise StockNotFound(request.sku)
        return stock_to_proto(request.sku, levels)

    async def BatchGetStock(self, request: pb.BatchGetStockRequest, _: object) -> pb.BatchGetStockResponse:
        """Give the stock of several SKUs; see the contract."""
        levels = await self._store.levels(list(request.skus))
        return pb.BatchGetStockResponse(
            stocks=[stock_to_proto(sku, [level for level in levels if level.sku == sku]) for sku in request.skus]
        )

    async def ReserveStock(self, request: pb.ReserveStockRequest, _: object) -> inventory_pb2.Reservation:
        """Hold stock for an order; see the contract."""
        wanted = {line.sku: line.quantity for line in request.lines}
        return reservation_to_proto(await self._store.reserve(request.order_id, wanted))

    async def GetReservation(self, request: pb.GetReservationRequest, _: object) -> inventory_pb2.Reservation:
        """Give the reservation of an order; see the contract."""
        reservation = await self._store.reservation(request.order_id)
        if reservation is None:
            raise ReservationNotFound(request.order_id)
        return reservation_to_proto(reservation)

    async def ReleaseReservation(self, request: pb.ReleaseReservationRequest, _: object) -> inventory_pb2.Reservation:
        """Let stock be sold again; see the contract."""
        return reservation_to_proto(await self._store.release(request.order_id))

    async def CommitReservation(self, request: pb.CommitReservationRequest, _: object) -> inventory_pb2.Reservation:
        """Book stock as gone; see the contract."""
        return reservation_to_proto(await self._store.commit(request.order_id))
