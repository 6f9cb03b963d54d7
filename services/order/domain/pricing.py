"""What an order costs beside its lines: shipping and tax, each from a calculator that an installation may replace.

Both are asked once, when the order is placed; what they say is frozen in the order. Tax is computed line by line, and
rounded half to even to the minor unit there (docs/orders.md, "Money").
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Protocol

from services.common.money import Money
from services.order.domain.order import Charges, Line
from services.order.domain.shares import half_even

ANYWHERE = "*"
"""The region of a table that stands for all that it does not name."""


@dataclass(frozen=True, slots=True)
class Taxes:
    """The tax on each line, in their order, and on shipping; `included` in the prices or on top of them."""

    lines: tuple[Money, ...]
    shipping: Money
    included: bool


class ShippingCalculator(Protocol):
    """Knows what it costs to send an order."""

    async def shipping(self, lines: Sequence[Line], region_code: str) -> Money:
        """Price the shipping of priced lines to a region (CLDR code), in their currency."""


class TaxCalculator(Protocol):
    """Knows the tax on an order."""

    async def taxes(self, lines: Sequence[Line], shipping: Money, region_code: str) -> Taxes | None:
        """Compute the tax on priced lines and on shipping to a region (CLDR code); None: there is none to speak of."""


@dataclass(frozen=True, slots=True)
class FlatRate:
    """A price of shipping in minor units, free for orders of `free_from` minor units or more, if given."""

    amount: int
    free_from: int | None = None


class FlatRateShipping:
    """One price for each region and currency; what has none is sent for nothing."""

    def __init__(self, table: Mapping[str, Mapping[str, FlatRate]]) -> None:
        """`table`: region code, or ANYWHERE, to ISO 4217 code to rate."""
        self._table = table

    async def shipping(self, lines: Sequence[Line], region_code: str) -> Money:
        """Look the price up."""
        currency = lines[0].unit_price.currency_code
        rate = self._table.get(region_code, self._table.get(ANYWHERE, {})).get(currency)
        items = sum(line.amount.minor_units for line in lines)
        free = rate is None or (rate.free_from is not None and items >= rate.free_from)
        return Money(currency, 0 if rate is None or free else rate.amount)


@dataclass(frozen=True, slots=True)
class TaxRate:
    """A rate, such as 19/100, that prices of a region include or not."""

    rate: Fraction
    included: bool


class RegionalTax:
    """One rate for each region, on lines and shipping alike; where there is none, no tax is computed."""

    def __init__(self, table: Mapping[str, TaxRate]) -> None:
        """`table`: region code, or ANYWHERE, to rate."""
        self._table = table

    async def taxes(self, lines: Sequence[Line], shipping: Money, region_code: str) -> Taxes | None:
        """Compute each by itself."""
        rate = self._table.get(region_code, self._table.get(ANYWHERE))
        if rate is None:
            return None
        return Taxes(tuple(tax_on(line.amount, rate) for line in lines), tax_on(shipping, rate), rate.included)


def tax_on(amount: Money, rate: TaxRate) -> Money:
    """The tax on an amount, or in it where it is included."""
    share = rate.rate / (1 + rate.rate) if rate.included else rate.rate
    return Money(amount.currency_code, half_even(amount.minor_units * share.numerator, share.denominator))


async def price(
    lines: tuple[Line, ...], region_code: str, shipping: ShippingCalculator, tax: TaxCalculator
) -> tuple[tuple[Line, ...], Charges]:
    """Ask both calculators: the lines with their tax, and the charges beside them."""
    cost = await shipping.shipping(lines, region_code)
    taxes = await tax.taxes(lines, cost, region_code)
    if taxes is None:
        return lines, Charges(cost, Money(cost.currency_code, 0), tax_included=False)
    taxed = tuple(replace(line, tax=each) for line, each in zip(lines, taxes.lines, strict=True))
    return taxed, Charges(cost, taxes.shipping, taxes.included)
