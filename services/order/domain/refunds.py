"""Money that is given back, for a return or out of goodwill: never more than was taken."""

from dataclasses import replace
from datetime import datetime

from services.common.money import Money
from services.order.domain.errors import OrderBusy, OrderNotRefundable, RefundCurrencyDiffers, RefundTooMuch
from services.order.domain.order import Order
from services.order.domain.parts import Progress, Refund, Rejection
from services.order.domain.transitions import Transition, may, moved


def refundable(order: Order) -> Money:
    """What was taken and neither given back nor about to be."""
    return order.captured - order.sum(each.amount for each in order.refunds if each.state is not Progress.FAILED)


def request_refund(order: Order, refund_id: str, amount: Money | None, reason: str, now: datetime) -> Order:
    """Somebody wants money given back; all that is left of it without an amount.

    Raises OrderNotRefundable, OrderBusy, RefundCurrencyDiffers, RefundTooMuch.
    """
    if not may(order, Transition.REQUEST_REFUND):
        raise OrderNotRefundable(order.id, order.state)
    if order.under_way is not None:
        raise OrderBusy(order.id)
    left = refundable(order)
    wanted = left if amount is None else amount
    if wanted.currency_code != left.currency_code:
        raise RefundCurrencyDiffers(order.id, left.currency_code)
    if wanted > left or not wanted:
        raise RefundTooMuch(order.id, left)
    refund = Refund(refund_id, Progress.PENDING, wanted, reason, now)
    return moved(order, Transition.REQUEST_REFUND, now, refund_id, refunds=(*order.refunds, refund))


def refund(order: Order, asked: Refund, now: datetime) -> Order:
    """The money was given back."""
    done = replace(asked, state=Progress.COMPLETED, complete_time=now)
    return moved(order, Transition.REFUND, now, asked.id, refunds=_with(order, done))


def fail_refund(order: Order, asked: Refund, failure: Rejection, now: datetime) -> Order:
    """The money could not be given back."""
    failed = replace(asked, state=Progress.FAILED, failure=failure)
    return moved(order, Transition.FAIL_REFUND, now, asked.id, refunds=_with(order, failed))


def find_refund(order: Order, refund_id: str) -> Refund:
    """Find a refund of the order, which is known to be there."""
    return next(each for each in order.refunds if each.id == refund_id)


def _with(order: Order, one: Refund) -> tuple[Refund, ...]:
    return tuple(one if each.id == one.id else each for each in order.refunds)
