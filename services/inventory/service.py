"""The gRPC servicer: turns the contract's messages into what the inventory service does, and back."""

import hashlib
from collections.abc import AsyncIterator, Iterable
from contextlib import aclosing
from typing import cast

from google.protobuf.message import Message

from mesh import context
from ordermesh.inventory.v1 import inventory_pb2, inventory_service_pb2_grpc
from ordermesh.inventory.v1 import inventory_service_pb2 as pb
from services.common import paging
from services.common.idempotency import request_key
from services.inventory.domain.errors import ReservationNotFound, StockNotFound
from services.inventory.domain.sourcing import Destination
from services.inventory.domain.stock import Location, Policy
from services.inventory.events import (
    movement_to_proto,
    reservation_to_proto,
    stock_to_proto,
    warehouse_to_proto,
)
from services.inventory.store import AskedLine, Details, InventoryStore, Remark, Request
from services.inventory.watching import Watch


class InventoryService(inventory_service_pb2_grpc.InventoryServiceServicer):
    """Shapes are checked by the contract before a method here is entered."""

    def __init__(self, store: InventoryStore, watch: Watch | None = None) -> None:
        """`store` holds all rules that need a lock; `watch` looks after stock that callers follow."""
        self._store = store
        self._watch = watch or Watch(store)

    async def CreateWarehouse(self, request: pb.CreateWarehouseRequest, _: object) -> inventory_pb2.Warehouse:
        """Create a warehouse; see the contract."""
        warehouse = await self._store.add_warehouse(
            request.code,
            request.display_name,
            request.priority,
            zone=request.zone,
            region_codes=tuple(request.region_codes),
            location=_place(request),
        )
        return warehouse_to_proto(warehouse)

    async def UpdateWarehouse(self, request: pb.UpdateWarehouseRequest, _: object) -> inventory_pb2.Warehouse:
        """Change a warehouse; see the contract."""
        said: Details = {
            "display_name": request.display_name,
            "priority": request.priority,
            "zone": request.zone,
            "region_codes": tuple(request.region_codes),
            "location": _place(request),
        }
        named = request.update_mask.paths or [name for name, value in said.items() if value]
        changes = cast("Details", {name: value for name, value in said.items() if name in named})
        return warehouse_to_proto(await self._store.change_warehouse(request.code, **changes))

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
        await self._store.receive(request.sku, request.quantity, request.warehouse_code, _staff_request(request))
        return await self._stock(request.sku)

    async def AdjustStock(self, request: pb.AdjustStockRequest, _: object) -> inventory_pb2.Stock:
        """Correct the number of units; see the contract."""
        remark = Remark(inventory_pb2.AdjustmentReason.Name(request.reason), request.note)
        await self._store.adjust(request.sku, request.quantity, request.warehouse_code, remark, _staff_request(request))
        return await self._stock(request.sku)

    async def TransferStock(self, request: pb.TransferStockRequest, _: object) -> inventory_pb2.Stock:
        """Move units to another warehouse; see the contract."""
        await self._store.transfer(
            request.sku,
            request.quantity,
            (request.from_warehouse_code, request.to_warehouse_code),
            Remark(note=request.note),
            _staff_request(request),
        )
        return await self._stock(request.sku)

    async def CountStock(self, request: pb.CountStockRequest, _: object) -> inventory_pb2.Stock:
        """Set the units on hand to what was counted; see the contract."""
        await self._store.count(
            request.sku, request.on_hand, request.warehouse_code, Remark(note=request.note), _staff_request(request)
        )
        return await self._stock(request.sku)

    async def SetStockPolicy(self, request: pb.SetStockPolicyRequest, _: object) -> inventory_pb2.Stock:
        """Set what the installation wants of a SKU's stock; see the contract."""
        threshold = request.low_stock_threshold if request.HasField("low_stock_threshold") else None
        policy = Policy(request.safety_stock, request.backorder_limit, threshold)
        await self._store.set_policy(request.sku, request.warehouse_code, policy)
        return await self._stock(request.sku)

    async def ListMovements(self, request: pb.ListMovementsRequest, _: object) -> pb.ListMovementsResponse:
        """Give a page of a SKU's ledger; see the contract."""
        filters = {"sku": request.sku, "warehouse_code": request.warehouse_code}
        size = paging.page_size(request.page_size)
        after = paging.decode(request.page_token, filters)
        found = await self._store.movements(request.sku, request.warehouse_code, after, size + 1)
        reply = pb.ListMovementsResponse(movements=[movement_to_proto(movement) for movement in found[:size]])
        if len(found) > size:
            reply.next_page_token = paging.encode(found[size - 1].id, filters)
        return reply

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

    async def WatchStock(self, request: pb.WatchStockRequest, _: object) -> AsyncIterator[pb.WatchStockResponse]:
        """Give the stock of several SKUs, and again whenever it changed; see the contract."""
        async with aclosing(self._watch.follow(list(request.skus), context.current().remaining())) as stocks:
            async for sku, levels in stocks:
                yield pb.WatchStockResponse(stock=stock_to_proto(sku, levels))

    async def ReserveStock(self, request: pb.ReserveStockRequest, _: object) -> inventory_pb2.Reservation:
        """Hold stock for an order; see the contract."""
        wanted = {line.sku: line.quantity for line in request.lines}
        destination = None
        if request.HasField("destination"):
            destination = Destination(request.destination.region_code, _place(request.destination))
        return reservation_to_proto(await self._store.reserve(request.order_id, wanted, destination))

    async def GetReservation(self, request: pb.GetReservationRequest, _: object) -> inventory_pb2.Reservation:
        """Give the reservation of an order; see the contract."""
        reservation = await self._store.reservation(request.order_id)
        if reservation is None:
            raise ReservationNotFound(request.order_id)
        return reservation_to_proto(reservation)

    async def ListReservations(self, request: pb.ListReservationsRequest, _: object) -> pb.ListReservationsResponse:
        """Give a page of reservations; see the contract."""
        order_id = request.order_id or None
        state = inventory_pb2.Reservation.State.Name(request.state) if request.state else None
        filters = {"order_id": order_id, "state": state, "backordered": str(request.backordered)}
        size = paging.page_size(request.page_size)
        found = await self._store.reservations(
            order_id=order_id,
            state=state,
            backordered=request.backordered,
            after=paging.decode(request.page_token, filters),
            limit=size + 1,
        )
        reply = pb.ListReservationsResponse(reservations=[reservation_to_proto(each) for each in found[:size]])
        if len(found) > size:
            reply.next_page_token = paging.encode(found[size - 1].id, filters)
        return reply

    async def ExtendReservation(self, request: pb.ExtendReservationRequest, _: object) -> inventory_pb2.Reservation:
        """Hold stock for longer; see the contract."""
        return reservation_to_proto(await self._store.extend(request.order_id, request.ttl.ToTimedelta()))

    async def ReleaseReservation(self, request: pb.ReleaseReservationRequest, _: object) -> inventory_pb2.Reservation:
        """Let stock be sold again; see the contract."""
        asked = _request(request, request.request_id)
        return reservation_to_proto(await self._store.release(request.order_id, _lines(request.lines), asked))

    async def CommitReservation(self, request: pb.CommitReservationRequest, _: object) -> inventory_pb2.Reservation:
        """Book stock as gone; see the contract."""
        asked = _request(request, request.request_id)
        return reservation_to_proto(await self._store.commit(request.order_id, _lines(request.lines), asked))

    async def RevertCommit(self, request: pb.RevertCommitRequest, _: object) -> inventory_pb2.Reservation:
        """Hold again what did not leave; see the contract."""
        asked = Request(request.request_id, _fingerprint(request))
        return reservation_to_proto(await self._store.revert(request.order_id, asked))

    async def ReturnStock(self, request: pb.ReturnStockRequest, _: object) -> inventory_pb2.Reservation:
        """Take units back on hand; see the contract."""
        asked = Request(request.request_id, _fingerprint(request))
        return reservation_to_proto(await self._store.take_back(request.order_id, _lines(request.lines), asked))

    async def _stock(self, sku: str) -> inventory_pb2.Stock:
        return stock_to_proto(sku, await self._store.levels([sku]))


StaffRequest = pb.ReceiveStockRequest | pb.AdjustStockRequest | pb.TransferStockRequest | pb.CountStockRequest


def _staff_request(request: StaffRequest) -> Request | None:
    return _request(request, request_key(request.request_id, context.current().idempotency_key))


def _request(request: Message, request_id: str | None) -> Request | None:
    return Request(request_id, _fingerprint(request)) if request_id else None


def _fingerprint(request: Message) -> bytes:
    """Stand for the method and all that is asked of it but the request id."""
    content = type(request)()
    content.CopyFrom(request)
    content.ClearField("request_id")
    return hashlib.sha256(
        f"{request.DESCRIPTOR.full_name} ".encode() + content.SerializeToString(deterministic=True)
    ).digest()


def _lines(lines: Iterable[pb.ReservedUnits]) -> list[AskedLine]:
    return [AskedLine(line.sku, line.quantity, line.warehouse_code) for line in lines]


def _place(message: pb.CreateWarehouseRequest | pb.UpdateWarehouseRequest | pb.Destination) -> Location | None:
    if not message.HasField("location"):
        return None
    return Location(message.location.latitude, message.location.longitude)
