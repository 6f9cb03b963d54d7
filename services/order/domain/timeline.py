"""What happened to an order, in a sentence for each transition."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from services.order.domain.order import Order
from services.order.domain.parts import LineCancellation, Refund, Return, Shipment, ShipmentLine, Units
from services.order.domain.transitions import Transition


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened; `id` is that of the event or note."""

    id: str
    text: str
    actor: str
    occur_time: datetime


def sentence(order: Order) -> str:
    """Say what made the order what it is."""
    if order.change is None:
        raise ValueError("the order is of no event")
    part = next((each for each in order.parts if each.id == order.change.part_id), None)
    if isinstance(part, Shipment):
        return _OF_SHIPMENTS[Transition(order.change.transition)](part)
    if isinstance(part, LineCancellation):
        return (
            _OF_CANCELLATIONS[Transition(order.change.transition)].format(_units(part.lines), part.reason).rstrip(": ")
        )
    if isinstance(part, Return):
        return _OF_RETURNS[Transition(order.change.transition)](part)
    if isinstance(part, Refund):
        return _OF_REFUNDS[Transition(order.change.transition)](part)
    return _OF_ORDERS[Transition(order.change.transition)](order)


def _units(units: tuple[Units, ...] | tuple[ShipmentLine, ...]) -> str:
    return ", ".join(f"{each.quantity} x {each.sku}" for each in units)


def _tracked(shipment: Shipment) -> str:
    by = f" by {shipment.carrier}" if shipment.carrier else ""
    return f"{by}, tracking number {shipment.tracking_number}" if shipment.tracking_number else by


def _because(reason: str) -> str:
    return f": {reason}" if reason else ""


def _why(part: Shipment | Refund | Order) -> str:
    failure = part.rejection if isinstance(part, Order) else part.failure
    return f": {failure.message} ({failure.reason})" if failure else ""


def _came(back: Return) -> str:
    return ", ".join(f"{line.received} x {line.sku}" for line in back.lines if line.received)


_OF_ORDERS: Mapping[Transition, Callable[[Order], str]] = MappingProxyType(
    {
        Transition.PLACE: lambda _: "The order was placed",
        Transition.RESERVE_STOCK: lambda _: "The stock is held",
        Transition.CONFIRM: lambda _: "The payment was authorized: the order is confirmed",
        Transition.REJECT: lambda order: f"The order could not be had{_why(order)}",
        Transition.REQUEST_CANCELLATION: lambda order: f"Cancelling was asked for{_because(order.cancel_reason)}",
        Transition.CANCEL: lambda _: "The order is cancelled: stock and money were given back",
    }
)
_OF_SHIPMENTS: Mapping[Transition, Callable[[Shipment], str]] = MappingProxyType(
    {
        Transition.REQUEST_SHIPMENT: lambda part: f"A shipment is being prepared: {_units(part.lines)}",
        Transition.SHIP: lambda part: f"Shipped{_tracked(part)}: {_units(part.lines)}",
        Transition.REFUSE_SHIPMENT: lambda part: f"The money of a shipment could not be taken{_why(part)}",
        Transition.FAIL_SHIPMENT: lambda part: f"A shipment could not be sent{_why(part)}",
        Transition.DELIVER: lambda part: f"Delivered: {_units(part.lines)}",
    }
)
_OF_CANCELLATIONS: Mapping[Transition, str] = MappingProxyType(
    {
        Transition.REQUEST_LINE_CANCELLATION: "Cancelling {0} was asked for: {1}",
        Transition.CANCEL_LINES: "Cancelled: {0}",
    }
)
_OF_RETURNS: Mapping[Transition, Callable[[Return], str]] = MappingProxyType(
    {
        Transition.REQUEST_RETURN: lambda part: f"A return was asked for{_because(part.reason)}",
        Transition.APPROVE_RETURN: lambda part: f"The return is approved{_because(part.note)}",
        Transition.REJECT_RETURN: lambda part: f"The return is turned down{_because(part.note)}",
        Transition.RECEIVE_RETURN: lambda part: f"Came back: {_came(part)}",
        Transition.COMPLETE_RETURN: lambda _: "The return is booked in",
    }
)
_OF_REFUNDS: Mapping[Transition, Callable[[Refund], str]] = MappingProxyType(
    {
        Transition.REQUEST_REFUND: lambda part: f"A refund is on its way{_because(part.reason)}",
        Transition.REFUND: lambda part: f"Refunded{_because(part.reason)}",
        Transition.FAIL_REFUND: lambda part: f"A refund failed{_why(part)}",
    }
)
