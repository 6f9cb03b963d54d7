"""How an order's total is divided: which part of the money goes with which units, so that all parts add up to it.

Units of a line are counted as they are shipped or cancelled. The first k of n units carry `total * k / n`, rounded half
to even to the minor unit, and further units the difference to that: so the parts of a line add up to the line exactly,
whatever the sizes of the parts. Shipping is divided the same way by what the units cost.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from services.common.money import Money
from services.order.domain.order import Line, Order
from services.order.domain.parts import ShipmentLine, Units


def half_even(numerator: int, denominator: int) -> int:
    """Round a fraction of whole numbers, not negative, to the nearest whole; halves to the even one."""
    whole, rest = divmod(numerator, denominator)
    up = 2 * rest > denominator or (2 * rest == denominator and whole % 2 == 1)
    return whole + up


def portion(total: Money, begin: int, end: int, whole: int) -> Money:
    """What the units from `begin` to `end` of `whole` carry of an amount."""
    upto = half_even(total.minor_units * end, whole), half_even(total.minor_units * begin, whole)
    return Money(total.currency_code, upto[0] - upto[1])


@dataclass(frozen=True, slots=True)
class Share:
    """What units that leave the order carry: each its price and tax, and all together with their part of shipping."""

    lines: tuple[ShipmentLine, ...]
    amount: Money


def share_of(order: Order, units: Sequence[Units]) -> Share:
    """Divide the total: what these units carry, which are the next to be shipped or cancelled."""
    by_sku = {line.sku: line for line in order.lines}
    lines = tuple(ShipmentLine(each.sku, each.quantity, _units(order, by_sku[each.sku], each)) for each in units)
    return Share(lines, order.sum(line.amount for line in lines) + _shipping(order, lines))


def refund_of(line: ShipmentLine, quantity: int) -> Money:
    """What a return of so many further units of a shipment's line gives back."""
    return portion(line.amount, line.returned, line.returned + quantity, line.quantity)


def _gross(order: Order, line: Line) -> Money:
    return line.amount if order.charges.tax_included or line.tax is None else line.amount + line.tax


def _units(order: Order, line: Line, units: Units) -> Money:
    gone = line.quantity - line.left
    return portion(_gross(order, line), gone, gone + units.quantity, line.quantity)


def _shipping(order: Order, lines: Sequence[ShipmentLine]) -> Money:
    charges = order.charges
    total = charges.shipping if charges.tax_included else charges.shipping + charges.shipping_tax
    whole = sum(_gross(order, line).minor_units for line in order.lines)
    before = sum(portion(_gross(order, x), 0, x.quantity - x.left, x.quantity).minor_units for x in order.lines)
    these = sum(line.amount.minor_units for line in lines)
    if whole == 0:
        # Nothing but shipping costs anything: units count by their number.
        whole = sum(line.quantity for line in order.lines)
        before, these = whole - order.left, sum(line.quantity for line in lines)
    return portion(total, before, before + these, whole)
