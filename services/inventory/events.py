"""What inventory publishes, and the contract's form of its resources."""

from collections.abc import Sequence

from ordermesh.inventory.v1 import inventory_events_pb2, inventory_pb2
from services.common.events import EventRecord
from services.common.protobuf import timestamp_to_proto
from services.inventory.domain import Level, Reservation, State, Warehouse

STOCK = "stock"
RESERVATION = "reservation"


def stock_received(level: Level, quantity: int, sequence: int) -> EventRecord:
    """Return the event of units that arrived; `sequence` counts the deliveries of the SKU."""
    message = inventory_events_pb2.StockReceived(
        sku=level.sku, warehouse_id=level.warehouse_id, quantity=quantity, on_hand=level.on_hand
    )
    return EventRecord(STOCK, level.sku, sequence, message)


def reservation_moved(reservation: Reservation) -> EventRecord:
    """Return the event that made the reservation what it is."""
    message_type = {
        State.HELD: inventory_events_pb2.StockReserved,
        State.RELEASED: inventory_events_pb2.StockReleased,
        State.COMMITTED: inventory_events_pb2.StockCommitted,
    }[reservation.state]
    message = message_type(reservation=reservation_to_proto(reservation))
    return EventRecord(RESERVATION, reservation.order_id, reservation.version, message)


def reservation_to_proto(reservation: Reservation) -> inventory_pb2.Reservation:
    """Return the contract's form of a reservation."""
    return inventory_pb2.Reservation(
        id=reservation.id,
        order_id=reservation.order_id,
        state=inventory_pb2.Reservation.State.Value(reservation.state),
        allocations=[
            inventory_pb2.Allocation(sku=part.sku, warehouse_id=part.warehouse_id, quantity=part.quantity)
            for part in reservation.allocations
        ],
        expire_time=timestamp_to_proto(reservation.expire_time),
        create_time=timestamp_to_proto(reservation.create_time),
    )


def warehouse_to_proto(warehouse: Warehouse) -> inventory_pb2.Warehouse:
    """Return the contract's form of a warehouse."""
    return inventory_pb2.Warehouse(
        id=warehouse.id, code=warehouse.code, display_name=warehouse.display_name, priority=warehouse.priority
    )


def stock_to_proto(sku: str, levels: Sequence[Level]) -> inventory_pb2.Stock:
    """Return the contract's form of a SKU's levels, summed up and one by one."""
    return inventory_pb2.Stock(
        sku=sku,
        available=sum(level.available for level in levels),
        on_hand=sum(level.on_hand for level in levels),
        reserved=sum(level.reserved for level in levels),
        levels=[
            inventory_pb2.StockLevel(
                warehouse_id=level.warehouse_id,
                warehouse_code=level.warehouse_code,
                available=level.available,
                on_hand=level.on_hand,
                reserved=level.reserved,
            )
            for level in sorted(levels, key=lambda level: (level.priority, level.warehouse_code))
        ],
    )
