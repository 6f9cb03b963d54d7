"""How an order's total is divided: exactly, however it is split."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from services.common.money import Money
from services.order.domain.order import Order
from services.order.domain.parts import ShipmentLine
from services.order.domain.shares import half_even, portion, refund_of
from tests.unit.services.order.walks import shares, walks


@given(st.integers(0, 10**12), st.integers(1, 10**6))
def test_halves_go_to_the_even_number(numerator: int, denominator: int) -> None:
    """As Python's own rounding of exact fractions."""
    assert half_even(numerator, denominator) == round(Fraction(numerator, denominator))


@given(st.integers(0, 10**9), st.lists(st.integers(1, 1000), min_size=1, max_size=20))
def test_portions_add_up_and_none_is_negative(total: int, sizes: list[int]) -> None:
    """Whatever the sizes of the parts."""
    whole, begin, found = sum(sizes), 0, []
    for size in sizes:
        found.append(portion(Money("EUR", total), begin, begin + size, whole).minor_units)
        begin += size
    assert sum(found) == total
    assert min(found) >= 0


@given(walks())
def test_the_shares_of_an_order_that_is_done_add_up_to_its_total(history: list[Order]) -> None:
    """Shipped or cancelled, in any split; before that they are never more."""
    for order in history:
        taken = order.sum(shares(order))
        assert taken <= order.total
        if order.left == 0:
            assert taken == order.total


@given(walks())
def test_no_more_is_given_back_than_was_taken(history: list[Order]) -> None:
    """By returns and goodwill together, in any order."""
    assert all(order.refunded <= order.captured <= order.total for order in history)


@given(st.integers(0, 10**6), st.lists(st.integers(1, 9), min_size=1, max_size=9))
def test_returning_a_line_bit_by_bit_gives_back_all_of_it(amount: int, sizes: list[int]) -> None:
    """Not a minor unit more or less."""
    returned, back = 0, 0
    for size in sizes:
        line = ShipmentLine("A", sum(sizes), Money("EUR", amount), returned)
        back += refund_of(line, size).minor_units
        returned += size
    assert back == amount
