"""What an order costs beside its lines."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.money import Money
from services.order.domain import placing
from services.order.domain.order import Line, Order
from services.order.domain.pricing import FlatRate, FlatRateShipping, RegionalTax, TaxRate, price, tax_on
from tests.unit.services.order.fakes import CUSTOMER, NOW

SHIPPING = FlatRateShipping(
    {"DE": {"EUR": FlatRate(490, free_from=5000)}, "*": {"EUR": FlatRate(1290), "USD": FlatRate(1500)}}
)
TAX = RegionalTax({"DE": TaxRate(Fraction(19, 100), included=True), "US": TaxRate(Fraction(8, 100), included=False)})


def lines(*prices: int, currency: str = "EUR") -> tuple[Line, ...]:
    """Make lines of one unit."""
    return tuple(Line(f"S{at}", 1, "p", "n", Money(currency, each)) for at, each in enumerate(prices))


async def placed(region: str, *prices: int, currency: str = "EUR") -> Order:
    """Price an order and place it."""
    priced, charges = await price(lines(*prices, currency=currency), region, SHIPPING, TAX)
    return placing.place("o1", CUSTOMER, priced, {}, NOW, charges)


@pytest.mark.parametrize(
    ("region", "prices", "currency", "shipping"),
    [
        ("DE", (4999,), "EUR", 490),
        ("DE", (2500, 2500), "EUR", 0),
        ("FR", (9999,), "EUR", 1290),
        ("US", (100,), "USD", 1500),
        ("DE", (100,), "USD", 0),
    ],
)
async def test_shipping_is_looked_up_by_region_and_currency(
    region: str, prices: tuple[int, ...], currency: str, shipping: int
) -> None:
    """Free from an amount of goods on, for the region itself or for all others."""
    assert (await placed(region, *prices, currency=currency)).charges.shipping == Money(currency, shipping)


async def test_included_tax_is_in_the_total_already() -> None:
    """119 with 19 percent holds 19."""
    order = await placed("DE", 11900)
    assert (order.total, order.tax, order.charges.tax_included) == (Money("EUR", 11900), Money("EUR", 1900), True)


async def test_tax_on_top_is_added_to_the_total_on_shipping_too() -> None:
    """100 and 15 for shipping with 8 percent."""
    order = await placed("US", 10000, currency="USD")
    assert (order.tax, order.total) == (Money("USD", 920), Money("USD", 12420))


async def test_where_no_rate_is_known_no_tax_is_computed() -> None:
    """Which is not the same as a tax of zero."""
    order = await placed("FR", 10000)
    assert order.lines[0].tax is None
    assert order.total == Money("EUR", 11290)


async def test_without_tables_prices_are_what_is_paid() -> None:
    """The default of an installation."""
    priced, charges = await price(lines(999), "DE", FlatRateShipping({}), RegionalTax({}))
    assert placing.place("o1", CUSTOMER, priced, {}, NOW, charges).total == Money("EUR", 999)


@given(st.integers(0, 10**9), st.fractions(0, 1, max_denominator=10_000))
def test_taking_included_tax_out_and_putting_it_on_meet(amount: int, rate: Fraction) -> None:
    """Within the one minor unit that rounding each may cost."""
    inside = tax_on(Money("EUR", amount), TaxRate(rate, included=True)).minor_units
    on_top = tax_on(Money("EUR", amount - inside), TaxRate(rate, included=False)).minor_units
    assert abs(inside - on_top) <= 1
    assert 0 <= inside <= amount
