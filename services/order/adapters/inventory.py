"""Holding stock, by the inventory service."""

from mesh import errors
from ordermesh.inventory.v1 import inventory_service_pb2 as inventory
from ordermesh.inventory.v1 import inventory_service_pb2_grpc as inventory_grpc
from services.order.domain.order import Line
from services.order.saga import OutOfStock


class InventoryService:
    """The inventory service as a saga.Inventory."""

    def __init__(self, stub: inventory_grpc.InventoryServiceStub) -> None:
        """`stub` acts for this service, not for the customer."""
        self._stub = stub

    async def reserve(self, order_id: str, lines: tuple[Line, ...]) -> str:
        """Hold the stock and return the reservation's id. Raises OutOfStock; repeated, gives the same answer."""
        request = inventory.ReserveStockRequest(
            order_id=order_id,
            lines=[inventory.ReservationLine(sku=line.sku, quantity=line.quantity) for line in lines],
        )
        try:
            reservation = await self._stub.ReserveStock(request)
        except errors.FailedPrecondition as refused:
            if refused.reason != "OUT_OF_STOCK":
                raise
            raise OutOfStock(refused.metadata.get("skus", "").split(",")) from refused
        return reservation.id

    async def release(self, order_id: str) -> None:
        """Give the stock back, or see to it that a reserve on its way holds nothing."""
        await self._stub.ReleaseReservation(inventory.ReleaseReservationRequest(order_id=order_id))
