"""Holding stock, booking it out and in, by the inventory service."""

from collections.abc import Sequence

from mesh import errors
from ordermesh.inventory.v1 import inventory_service_pb2 as inventory
from ordermesh.inventory.v1 import inventory_service_pb2_grpc as inventory_grpc
from services.order.domain.order import Line
from services.order.domain.parts import Units
from services.order.ports import OutOfStock, RefusedError


class InventoryService:
    """The inventory service as a ports.Inventory."""

    def __init__(self, stub: inventory_grpc.InventoryServiceStub) -> None:
        """`stub` acts for this service, not for the customer."""
        self._stub = stub

    async def reserve(self, order_id: str, lines: tuple[Line, ...], region_code: str) -> str:
        """Hold the stock and return the reservation's id; `region_code`: where it is to go.

        Raises OutOfStock; repeated, gives the same answer.
        """
        request = inventory.ReserveStockRequest(
            order_id=order_id,
            lines=[inventory.ReservationLine(sku=line.sku, quantity=line.quantity) for line in lines],
            destination=inventory.Destination(region_code=region_code),
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

    async def release_units(self, order_id: str, units: Sequence[Units], key: str) -> None:
        """Give some of the stock back."""
        request = inventory.ReleaseReservationRequest(order_id=order_id, lines=_lines(units), request_id=key)
        await self._stub.ReleaseReservation(request)

    async def commit(self, order_id: str, units: Sequence[Units], key: str) -> None:
        """Book stock as gone. Raises RefusedError."""
        request = inventory.CommitReservationRequest(order_id=order_id, lines=_lines(units), request_id=key)
        try:
            await self._stub.CommitReservation(request)
        except (errors.FailedPrecondition, errors.NotFound) as refused:
            raise RefusedError(refused.reason, refused.message) from refused

    async def revert(self, order_id: str, key: str) -> None:
        """Hold again what was booked as gone with the key, and did not leave."""
        await self._stub.RevertCommit(inventory.RevertCommitRequest(order_id=order_id, request_id=key))

    async def take_back(self, order_id: str, units: Sequence[Units], key: str) -> None:
        """Book stock that was gone in again."""
        request = inventory.ReturnStockRequest(order_id=order_id, lines=_lines(units), request_id=key)
        await self._stub.ReturnStock(request)


def _lines(units: Sequence[Units]) -> list[inventory.ReservedUnits]:
    return [inventory.ReservedUnits(sku=each.sku, quantity=each.quantity) for each in units]
