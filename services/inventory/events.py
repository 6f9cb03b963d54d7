"""What inventory publishes, and the contract's form of its resources."""

from collections.abc import Iterable, Sequence

from google.protobuf.message import Message
from google.type import latlng_pb2

from ordermesh.inventory.v1 import inventory_events_pb2 as pb
from ordermesh.inventory.v1 import inventory_pb2
from services.common.events import EventRecord
from services.common.protobuf import timestamp_to_proto
from services.inventory.domain.reservation import Moved, Reservation, Units
from services.inventory.domain.stock import Level, Movement, Policy, Warehouse

STOCK = "stock"
RESERVATION = "reservation"


def stock_received(level: Level, quantity: int, sequence: int) -> EventRecord:
    """Return the event of units that arrived; `sequence` counts the events of the SKU, here and below."""
    message = pb.StockReceived(sku=level.sku, warehouse_id=level.warehouse_id, quantity=quantity, on_hand=level.on_hand)
    return EventRecord(STOCK, level.sku, sequence, message)


def stock_adjusted(level: Level, quantity: int, reason: str, sequence: int) -> EventRecord:
    """Return the event of a number that was corrected."""
    message = pb.StockAdjusted(
        sku=level.sku,
        warehouse_id=level.warehouse_id,
        quantity=quantity,
        reason=inventory_pb2.AdjustmentReason.Value(reason),
        on_hand=level.on_hand,
    )
    return EventRecord(STOCK, level.sku, sequence, message)


def stock_transferred(sku: str, origin: Warehouse, target: Warehouse, quantity: int, sequence: int) -> EventRecord:
    """Return the event of units that moved."""
    message = pb.StockTransferred(sku=sku, from_warehouse_id=origin.id, to_warehouse_id=target.id, quantity=quantity)
    return EventRecord(STOCK, sku, sequence, message)


def stock_counted(level: Level, difference: int, sequence: int) -> EventRecord:
    """Return the event of units that were counted."""
    message = pb.StockCounted(
        sku=level.sku, warehouse_id=level.warehouse_id, on_hand=level.on_hand, difference=difference
    )
    return EventRecord(STOCK, level.sku, sequence, message)


def stock_policy_set(sku: str, warehouse_id: str, policy: Policy, sequence: int) -> EventRecord:
    """Return the event of a policy that was set, in a warehouse or everywhere."""
    message = pb.StockPolicySet(sku=sku, warehouse_id=warehouse_id, policy=policy_to_proto(policy))
    return EventRecord(STOCK, sku, sequence, message)


def stock_low(level: Level, sequence: int) -> EventRecord:
    """Return the event of a level that fell to its threshold."""
    message = pb.StockLow(
        sku=level.sku,
        warehouse_id=level.warehouse_id,
        available=max(level.available, 0),
        low_stock_threshold=level.low_stock_threshold or 0,
    )
    return EventRecord(STOCK, level.sku, sequence, message)


def stock_replenished(level: Level, sequence: int) -> EventRecord:
    """Return the event of a level that is low no more."""
    message = pb.StockReplenished(sku=level.sku, warehouse_id=level.warehouse_id, available=max(level.available, 0))
    return EventRecord(STOCK, level.sku, sequence, message)


def stock_reserved(reservation: Reservation) -> EventRecord:
    """Return the event that made a reservation."""
    return _of(reservation, pb.StockReserved(reservation=reservation_to_proto(reservation)))


def backorder_changed(reservation: Reservation, units: Sequence[Units]) -> EventRecord:
    """Return the event of units that are waited for from now on, or, when their numbers are negative, no more."""
    message_type = pb.StockBackordered if units[0].quantity > 0 else pb.BackorderFilled
    told = [Units(each.sku, each.warehouse_id, abs(each.quantity)) for each in units]
    return _of(reservation, message_type(reservation=reservation_to_proto(reservation), units=_units(told)))


def reservation_extended(reservation: Reservation) -> EventRecord:
    """Return the event of a reservation that lasts longer."""
    return _of(reservation, pb.ReservationExtended(reservation=reservation_to_proto(reservation)))


def stock_released(moved: Moved) -> EventRecord:
    """Return the event of units that were given back."""
    message = pb.StockReleased(reservation=reservation_to_proto(moved.reservation), units=_units(moved.units))
    return _of(moved.reservation, message)


def stock_committed(moved: Moved, request_id: str) -> EventRecord:
    """Return the event of units that left with a shipment."""
    message = pb.StockCommitted(
        reservation=reservation_to_proto(moved.reservation), units=_units(moved.units), request_id=request_id
    )
    return _of(moved.reservation, message)


def stock_commit_reverted(moved: Moved, request_id: str) -> EventRecord:
    """Return the event of units that did not leave after all."""
    message = pb.StockCommitReverted(
        reservation=reservation_to_proto(moved.reservation), units=_units(moved.units), request_id=request_id
    )
    return _of(moved.reservation, message)


def stock_returned(moved: Moved, request_id: str) -> EventRecord:
    """Return the event of units that came back with a return."""
    message = pb.StockReturned(
        reservation=reservation_to_proto(moved.reservation), units=_units(moved.units), request_id=request_id
    )
    return _of(moved.reservation, message)


def reservation_to_proto(reservation: Reservation) -> inventory_pb2.Reservation:
    """Return the contract's form of a reservation."""
    return inventory_pb2.Reservation(
        id=reservation.id,
        order_id=reservation.order_id,
        state=inventory_pb2.Reservation.State.Value(reservation.state),
        allocations=[
            inventory_pb2.Allocation(
                sku=part.sku,
                warehouse_id=part.warehouse_id,
                quantity=part.quantity,
                held=part.held,
                backordered=part.backordered,
                committed=part.committed,
                released=part.released,
                returned=part.returned,
            )
            for part in reservation.allocations
        ],
        expire_time=None if reservation.firm else timestamp_to_proto(reservation.expire_time),
        create_time=timestamp_to_proto(reservation.create_time),
    )


def warehouse_to_proto(warehouse: Warehouse) -> inventory_pb2.Warehouse:
    """Return the contract's form of a warehouse."""
    place = warehouse.location
    return inventory_pb2.Warehouse(
        id=warehouse.id,
        code=warehouse.code,
        display_name=warehouse.display_name,
        priority=warehouse.priority,
        zone=warehouse.zone,
        region_codes=warehouse.region_codes,
        location=latlng_pb2.LatLng(latitude=place.latitude, longitude=place.longitude) if place else None,
    )


def policy_to_proto(policy: Policy) -> inventory_pb2.StockPolicy:
    """Return the contract's form of a policy."""
    return inventory_pb2.StockPolicy(
        safety_stock=policy.safety_stock,
        backorder_limit=policy.backorder_limit,
        low_stock_threshold=policy.low_stock_threshold,
    )


def stock_to_proto(sku: str, levels: Sequence[Level]) -> inventory_pb2.Stock:
    """Return the contract's form of a SKU's levels, summed up and one by one."""
    return inventory_pb2.Stock(
        sku=sku,
        available=sum(max(level.available, 0) for level in levels),
        on_hand=sum(level.on_hand for level in levels),
        reserved=sum(level.reserved for level in levels),
        backordered=sum(level.backordered for level in levels),
        backorderable=sum(level.backorderable for level in levels),
        levels=[
            inventory_pb2.StockLevel(
                warehouse_id=level.warehouse_id,
                warehouse_code=level.warehouse_code,
                available=max(level.available, 0),
                on_hand=level.on_hand,
                reserved=level.reserved,
                backordered=level.backordered,
                policy=policy_to_proto(level.policy),
                low=level.low,
            )
            for level in sorted(levels, key=lambda level: (level.priority, level.warehouse_code))
        ],
    )


def movement_to_proto(movement: Movement) -> inventory_pb2.Movement:
    """Return the contract's form of an entry of the ledger."""
    return inventory_pb2.Movement(
        id=movement.id,
        sku=movement.sku,
        warehouse_id=movement.warehouse_id,
        warehouse_code=movement.warehouse_code,
        quantity=movement.quantity,
        kind=inventory_pb2.Movement.Kind.Value(movement.kind),
        reason=inventory_pb2.AdjustmentReason.Value(movement.reason)
        if movement.reason
        else inventory_pb2.ADJUSTMENT_REASON_UNSPECIFIED,
        note=movement.note,
        order_id=movement.order_id,
        actor=movement.actor,
        request_id=movement.request_id,
        create_time=timestamp_to_proto(movement.create_time),
    )


def _of(reservation: Reservation, message: Message) -> EventRecord:
    return EventRecord(RESERVATION, reservation.order_id, reservation.version, message)


def _units(units: Iterable[Units]) -> list[inventory_pb2.StockUnits]:
    return [
        inventory_pb2.StockUnits(sku=each.sku, warehouse_id=each.warehouse_id, quantity=each.quantity) for each in units
    ]
