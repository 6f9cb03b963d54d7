"""Rebuilding an order from its events: each holds the order afterwards, and has to follow from the one before.

So the fold proves two things: that the history is one the table of transitions allows, and what the order is now.
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace

from services.order.domain.order import Order, State
from services.order.domain.transitions import TRANSITIONS, Transition

_FROZEN = ("id", "customer_id", "charges", "total", "shipping_address", "create_time")
"""What no event after the first may change."""


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """The order as its events have it, None without any; and where they don't follow from each other."""

    order: Order | None
    faults: tuple[str, ...]


def rebuild(history: Iterable[Order]) -> Rebuilt:
    """Fold the orders that the events hold, oldest first, into the last, looking at each step."""
    order: Order | None = None
    faults: list[str] = []
    for after in history:
        faults += _first(after) if order is None else _next(order, after)
        order = after
    return Rebuilt(order, tuple(faults))


def differences(rebuilt: Order, kept: Order) -> tuple[str, ...]:
    """Name the fields in which an order is kept otherwise than its events have it, with both values."""
    compared = (each.name for each in fields(Order) if each.compare)
    pairs = ((name, getattr(rebuilt, name), getattr(kept, name)) for name in compared)
    return tuple(f"{name}: events have {told!r}, kept is {there!r}" for name, told, there in pairs if told != there)


def _first(order: Order) -> list[str]:
    if (order.version, order.state, _transition(order)) == (1, State.PENDING, Transition.PLACE):
        return []
    return [f"the first event is {_transition(order)} and leaves version {order.version}, {order.state}"]


def _next(before: Order, after: Order) -> list[str]:
    faults = [
        f"event {after.version} changes {name}" for name in _FROZEN if getattr(before, name) != getattr(after, name)
    ]
    if after.version != before.version + 1:
        faults.append(f"event {after.version} follows event {before.version}")
    if _ordered(before) != _ordered(after):
        faults.append(f"event {after.version} changes what was ordered")
    if not _leads(before, after):
        faults.append(f"event {after.version}, {_transition(after)}, leads from {before.state} to {after.state}")
    return faults


def _ordered(order: Order) -> tuple[object, ...]:
    return tuple(replace(line, cancelled=0, shipped=0, returned=0) for line in order.lines)


def _leads(before: Order, after: Order) -> bool:
    rules = TRANSITIONS.get(_transition(after), ())
    return any(
        before.state in rule.sources
        and after.state is (rule.target or before.state)
        and (rule.guard is None or rule.guard.holds(after))
        for rule in rules
    )


def _transition(order: Order) -> Transition:
    if order.change is None:
        raise ValueError("the order is of no event")
    return Transition(order.change.transition)
