"""An order and its life: every state, every transition with its guard, and what each changes.

`TRANSITIONS` is the only place that says what may follow what; the functions below it are the only way to a new state.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType

from services.common.money import Money
from services.order.domain.errors import OrderNotCancellable


class State(StrEnum):
    """Where an order stands; the names are those of the contract."""

    PENDING = "PENDING"
    CONFIRMED = "CONFIRMED"
    REJECTED = "REJECTED"
    CANCELLING = "CANCELLING"
    CANCELLED = "CANCELLED"


class Transition(StrEnum):
    """What can happen to an order; each is recorded as one event."""

    RESERVE_STOCK = "RESERVE_STOCK"
    CONFIRM = "CONFIRM"
    REJECT = "REJECT"
    REQUEST_CANCELLATION = "REQUEST_CANCELLATION"
    CANCEL = "CANCEL"


@dataclass(frozen=True, slots=True)
class Rule:
    """From which states a transition may start, and where it leads."""

    sources: frozenset[State]
    target: State


TRANSITIONS: Mapping[Transition, Rule] = MappingProxyType(
    {
        Transition.RESERVE_STOCK: Rule(frozenset({State.PENDING}), State.PENDING),
        Transition.CONFIRM: Rule(frozenset({State.PENDING}), State.CONFIRMED),
        Transition.REJECT: Rule(frozenset({State.PENDING}), State.REJECTED),
        Transition.REQUEST_CANCELLATION: Rule(frozenset({State.PENDING, State.CONFIRMED}), State.CANCELLING),
        Transition.CANCEL: Rule(frozenset({State.CANCELLING}), State.CANCELLED),
    }
)

UNSETTLED = frozenset({State.PENDING, State.CANCELLING})
"""States an order must not stay in: somebody is driving it on, or has to."""


class IllegalTransitionError(Exception):
    """The code asked for a transition that the table does not allow: a defect, not a caller's mistake."""


@dataclass(frozen=True, slots=True)
class Line:
    """Units of one SKU, with name and price as they were when the order was placed."""

    sku: str
    quantity: int
    product_id: str
    name: str
    unit_price: Money

    @property
    def amount(self) -> Money:
        """Price of the line."""
        return self.unit_price * self.quantity


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why an order could not be had: a constant for programs, a sentence for people."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Order:
    """An order as it stands after `version` events; the version is also its optimistic lock."""

    id: str
    customer_id: str
    state: State
    lines: tuple[Line, ...]
    total: Money
    shipping_address: Mapping[str, object]
    version: int
    create_time: datetime
    update_time: datetime
    payment_id: str | None = None
    reservation_id: str | None = None
    rejection: Rejection | None = None
    cancel_reason: str = ""

    @property
    def etag(self) -> str:
        """What a caller compares to know whether the order changed."""
        return str(self.version)

    @property
    def settled(self) -> bool:
        """Whether the order has come to an outcome that only a new request changes."""
        return self.state not in UNSETTLED


def place(
    order_id: str, customer_id: str, lines: tuple[Line, ...], shipping_address: Mapping[str, object], now: datetime
) -> Order:
    """A new order; its total is the sum of its lines, each rounded to the currency's minor unit by being made of it."""
    total = lines[0].amount
    for line in lines[1:]:
        total += line.amount
    return Order(
        id=order_id,
        customer_id=customer_id,
        state=State.PENDING,
        lines=lines,
        total=total,
        shipping_address=shipping_address,
        version=1,
        create_time=now,
        update_time=now,
    )


def reserve_stock(order: Order, reservation_id: str, now: datetime) -> Order:
    """The stock of all lines is held."""
    return replace(_moved(order, Transition.RESERVE_STOCK, now), reservation_id=reservation_id)


def confirm(order: Order, payment_id: str, now: datetime) -> Order:
    """The money is authorized. Only an order whose stock is held can be confirmed."""
    if order.reservation_id is None:
        message = f"order {order.id} has no stock reserved"
        raise IllegalTransitionError(message)
    return replace(_moved(order, Transition.CONFIRM, now), payment_id=payment_id)


def reject(order: Order, rejection: Rejection, now: datetime) -> Order:
    """The order can't be had; the caller has made sure that nothing is held for it."""
    return replace(_moved(order, Transition.REJECT, now), rejection=rejection)


def request_cancellation(order: Order, reason: str, now: datetime) -> Order:
    """Somebody wants the order gone; stock and money are to be given back."""
    if order.state not in TRANSITIONS[Transition.REQUEST_CANCELLATION].sources:
        raise OrderNotCancellable(order.id, order.state)
    return replace(_moved(order, Transition.REQUEST_CANCELLATION, now), cancel_reason=reason)


def cancel(order: Order, now: datetime) -> Order:
    """Stock and money have been given back."""
    return _moved(order, Transition.CANCEL, now)


def _moved(order: Order, transition: Transition, now: datetime) -> Order:
    rule = TRANSITIONS[transition]
    if order.state not in rule.sources:
        message = f"{transition} is not allowed for order {order.id}, which is {order.state}"
        raise IllegalTransitionError(message)
    return replace(order, state=rule.target, version=order.version + 1, update_time=max(now, order.update_time))
