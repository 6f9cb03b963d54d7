"""Amounts add up in one currency only, and compare by what they are worth."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.money import CurrencyMismatchError, Money

MINOR_UNITS = st.integers(-(10**15), 10**15)


@given(MINOR_UNITS, MINOR_UNITS)
def test_amounts_of_one_currency_add_up_and_subtract(first: int, second: int) -> None:
    """A sum less one of its parts is the other."""
    total = Money("EUR", first) + Money("EUR", second)
    assert total == Money("EUR", first + second)
    assert total - Money("EUR", second) == Money("EUR", first)


@given(MINOR_UNITS, st.integers(0, 1000))
def test_a_line_is_its_price_times_its_quantity(price: int, quantity: int) -> None:
    """Multiplying is adding again and again, without a rounding anywhere."""
    assert Money("JPY", price) * quantity == Money("JPY", price * quantity)


@given(MINOR_UNITS, MINOR_UNITS)
def test_amounts_compare_as_their_minor_units(first: int, second: int) -> None:
    """All four comparisons agree with those of whole numbers."""
    here, there = Money("EUR", first), Money("EUR", second)
    found = (here < there, here <= there, here > there, here >= there)
    assert found == (first < second, first <= second, first > second, first >= second)


def test_two_currencies_never_meet() -> None:
    """Adding, subtracting or comparing across currencies is a defect, not a number."""
    euros, yen = Money("EUR", 1), Money("JPY", 1)
    with pytest.raises(CurrencyMismatchError, match="EUR and JPY"):
        euros + yen
    with pytest.raises(CurrencyMismatchError):
        euros - yen
    with pytest.raises(CurrencyMismatchError):
        _ = euros < yen
    with pytest.raises(CurrencyMismatchError):
        _ = euros >= yen
    assert euros != yen


def test_only_nothing_is_false() -> None:
    """A debt counts as money, zero does not."""
    assert not Money("EUR", 0)
    assert Money("EUR", -1)
    assert Money("EUR", 1)
