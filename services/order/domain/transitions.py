"""What may happen to an order: every transition with the states it starts from, its guard, and where it leads.

`TRANSITIONS` is the only place that says so, and `moved` the only way to a new state. The diagram in docs/orders.md is
drawn from the table (tools/order_states.py).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from services.order.domain.order import Change, Order, State
from services.order.domain.parts import ShipmentState


class IllegalTransitionError(Exception):
    """The code asked for a transition that the table does not allow: a defect, not a caller's mistake."""


class Transition(StrEnum):
    """What can happen to an order; each is recorded as one event."""

    PLACE = "PLACE"
    RESERVE_STOCK = "RESERVE_STOCK"
    CONFIRM = "CONFIRM"
    REJECT = "REJECT"
    REQUEST_CANCELLATION = "REQUEST_CANCELLATION"
    CANCEL = "CANCEL"
    REQUEST_LINE_CANCELLATION = "REQUEST_LINE_CANCELLATION"
    CANCEL_LINES = "CANCEL_LINES"
    REQUEST_SHIPMENT = "REQUEST_SHIPMENT"
    SHIP = "SHIP"
    REFUSE_SHIPMENT = "REFUSE_SHIPMENT"
    FAIL_SHIPMENT = "FAIL_SHIPMENT"
    DELIVER = "DELIVER"
    REQUEST_RETURN = "REQUEST_RETURN"
    APPROVE_RETURN = "APPROVE_RETURN"
    REJECT_RETURN = "REJECT_RETURN"
    RECEIVE_RETURN = "RECEIVE_RETURN"
    COMPLETE_RETURN = "COMPLETE_RETURN"
    REQUEST_REFUND = "REQUEST_REFUND"
    REFUND = "REFUND"
    FAIL_REFUND = "FAIL_REFUND"


@dataclass(frozen=True, slots=True)
class Guard:
    """A condition on the order as it would become, with its words for the diagram."""

    words: str
    holds: Callable[[Order], bool]


@dataclass(frozen=True, slots=True)
class Rule:
    """From which states a transition may start under its guard, and where it leads; None: the state stays."""

    sources: frozenset[State]
    target: State | None
    guard: Guard | None = None


def _all_arrived(order: Order) -> bool:
    return order.left == 0 and not any(each.state is ShipmentState.SHIPPED for each in order.shipments)


STOCK_HELD = Guard("stock is held", lambda order: order.reservation_id is not None)
UNITS_LEFT = Guard("units are left to ship", lambda order: order.left > 0)
NONE_LEFT = Guard("no units are left to ship", lambda order: order.left == 0)
ALL_ARRIVED = Guard("all that was not cancelled has arrived", _all_arrived)

_TO_SHIP = frozenset({State.CONFIRMED, State.PARTIALLY_SHIPPED})
_SENT = frozenset({State.PARTIALLY_SHIPPED, State.SHIPPED, State.DELIVERED})
_STAYS_TO_SHIP = (Rule(_TO_SHIP, None),)
_STAYS_SENT = (Rule(_SENT, None),)

TRANSITIONS: Mapping[Transition, tuple[Rule, ...]] = MappingProxyType(
    {
        Transition.RESERVE_STOCK: (Rule(frozenset({State.PENDING}), None, STOCK_HELD),),
        Transition.CONFIRM: (Rule(frozenset({State.PENDING}), State.CONFIRMED, STOCK_HELD),),
        Transition.REJECT: (Rule(frozenset({State.PENDING}), State.REJECTED),),
        Transition.REQUEST_CANCELLATION: (Rule(frozenset({State.PENDING, State.CONFIRMED}), State.CANCELLING),),
        Transition.CANCEL: (Rule(frozenset({State.CANCELLING}), State.CANCELLED),),
        Transition.REQUEST_LINE_CANCELLATION: _STAYS_TO_SHIP,
        Transition.CANCEL_LINES: (
            Rule(_TO_SHIP, None, UNITS_LEFT),
            Rule(frozenset({State.PARTIALLY_SHIPPED}), State.DELIVERED, ALL_ARRIVED),
            Rule(frozenset({State.PARTIALLY_SHIPPED}), State.SHIPPED, NONE_LEFT),
        ),
        Transition.REQUEST_SHIPMENT: _STAYS_TO_SHIP,
        Transition.SHIP: (
            Rule(_TO_SHIP, State.PARTIALLY_SHIPPED, UNITS_LEFT),
            Rule(_TO_SHIP, State.SHIPPED, NONE_LEFT),
        ),
        Transition.REFUSE_SHIPMENT: _STAYS_TO_SHIP,
        Transition.FAIL_SHIPMENT: _STAYS_TO_SHIP,
        Transition.DELIVER: (
            Rule(frozenset({State.SHIPPED}), State.DELIVERED, ALL_ARRIVED),
            Rule(frozenset({State.PARTIALLY_SHIPPED, State.SHIPPED}), None),
        ),
        Transition.REQUEST_RETURN: _STAYS_SENT,
        Transition.APPROVE_RETURN: _STAYS_SENT,
        Transition.REJECT_RETURN: _STAYS_SENT,
        Transition.RECEIVE_RETURN: _STAYS_SENT,
        Transition.COMPLETE_RETURN: _STAYS_SENT,
        Transition.REQUEST_REFUND: _STAYS_SENT,
        Transition.REFUND: _STAYS_SENT,
        Transition.FAIL_REFUND: _STAYS_SENT,
    }
)


def may(order: Order, transition: Transition) -> bool:
    """Whether the order's state lets the transition start; guards are another matter."""
    return any(order.state in rule.sources for rule in TRANSITIONS[transition])


def moved(
    order: Order,
    transition: Transition,
    now: datetime,
    part_id: str = "",
    **changes: Any,  # noqa: ANN401 - each field of an order has its own type
) -> Order:
    """The order after a transition that changes these fields. Raises IllegalTransitionError."""
    changed = replace(
        order,
        version=order.version + 1,
        update_time=max(now, order.update_time),
        change=Change(transition, part_id),
        **changes,
    )
    for rule in TRANSITIONS[transition]:
        if order.state in rule.sources and (rule.guard is None or rule.guard.holds(changed)):
            return changed if rule.target is None else replace(changed, state=rule.target)
    message = f"{transition} is not allowed for order {order.id}, which is {order.state}"
    raise IllegalTransitionError(message)
