"""From a customer's wish to CONFIRMED or REJECTED, and back to nothing by CANCELLED."""

from collections.abc import Mapping
from datetime import datetime

from services.order.domain.errors import OrderBusy, OrderNotCancellable
from services.order.domain.order import Change, Charges, Line, Order, State
from services.order.domain.parts import Rejection
from services.order.domain.transitions import Transition, may, moved


def place(  # noqa: PLR0913, PLR0917 - all that an order begins with
    order_id: str,
    customer_id: str,
    lines: tuple[Line, ...],
    shipping_address: Mapping[str, object],
    now: datetime,
    charges: Charges | None = None,
) -> Order:
    """A new order, its total frozen: lines and shipping, and the tax where prices don't include it."""
    charges = charges or Charges.none(lines[0].unit_price.currency_code)
    total = charges.shipping
    for line in lines:
        total += line.amount
        if line.tax is not None and not charges.tax_included:
            total += line.tax
    return Order(
        id=order_id,
        customer_id=customer_id,
        state=State.PENDING,
        lines=lines,
        charges=charges,
        total=total if charges.tax_included else total + charges.shipping_tax,
        shipping_address=shipping_address,
        version=1,
        create_time=now,
        update_time=now,
        change=Change(Transition.PLACE),
    )


def reserve_stock(order: Order, reservation_id: str, now: datetime) -> Order:
    """The stock of all lines is held."""
    return moved(order, Transition.RESERVE_STOCK, now, reservation_id=reservation_id)


def confirm(order: Order, payment_id: str, now: datetime) -> Order:
    """The money is authorized. Only an order whose stock is held can be confirmed."""
    return moved(order, Transition.CONFIRM, now, payment_id=payment_id)


def reject(order: Order, rejection: Rejection, now: datetime) -> Order:
    """The order can't be had; the caller has made sure that nothing is held for it."""
    return moved(order, Transition.REJECT, now, rejection=rejection)


def request_cancellation(order: Order, reason: str, now: datetime) -> Order:
    """Somebody wants the order gone; stock and money are to be given back. Raises OrderNotCancellable, OrderBusy."""
    if not may(order, Transition.REQUEST_CANCELLATION):
        raise OrderNotCancellable(order.id, order.state)
    if order.under_way is not None:
        raise OrderBusy(order.id)
    return moved(order, Transition.REQUEST_CANCELLATION, now, cancel_reason=reason)


def cancel(order: Order, now: datetime) -> Order:
    """Stock and money have been given back."""
    return moved(order, Transition.CANCEL, now)
