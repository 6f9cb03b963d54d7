"""What may move, and by how much."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh import errors
from services.common.money import Money
from services.payment.domain import errors as refusals
from services.payment.domain import transitions as domain
from services.payment.domain.payment import Kind, Payment, State

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


def euros(minor_units: int) -> Money:
    """Make an amount."""
    return Money("EUR", minor_units)


def pending(amount: int = 1000) -> Payment:
    """Begin a payment."""
    return domain.begin("p1", "o1", "c1", euros(amount), "sandbox", NOW)


def authorized(amount: int = 1000) -> Payment:
    """Begin a payment and have it authorized."""
    return domain.authorized(pending(amount), "ref", NOW, NOW)


def test_an_authorized_payment_holds_its_whole_amount() -> None:
    """Nothing is taken yet."""
    payment = authorized()
    assert (payment.state, payment.authorized, payment.captured) == (State.AUTHORIZED, euros(1000), euros(0))


def test_more_than_was_authorized_is_never_captured() -> None:
    """The error says what is left."""
    payment = domain.captured(authorized(), euros(700), NOW)
    with pytest.raises(refusals.TooMuch) as refusal:
        domain.captured(payment, euros(301), NOW)
    assert refusal.value.metadata["left"] == "300"


def test_more_than_was_captured_is_never_refunded() -> None:
    """A refund of money that was not taken would be a gift."""
    payment = domain.captured(authorized(), euros(700), NOW)
    with pytest.raises(refusals.TooMuch):
        domain.refunded(payment, euros(701), NOW)


def test_what_captures_left_can_be_given_up() -> None:
    """The payment stays captured."""
    payment = domain.released(domain.captured(authorized(), euros(1), NOW), Kind.VOID, NOW)
    assert (payment.state, payment.voided, payment.held) == (State.CAPTURED, euros(999), euros(0))


def test_a_failed_payment_allows_no_capture() -> None:
    """Nothing is held."""
    with pytest.raises(refusals.NotAllowed):
        domain.captured(domain.failed(pending(), "CARD_DECLINED", NOW), euros(1), NOW)


def test_another_currency_is_refused() -> None:
    """Amounts are never converted."""
    with pytest.raises(refusals.CurrencyDiffers):
        domain.captured(authorized(), Money("USD", 1), NOW)


ATTEMPTS: dict[str, Callable[[Payment, int], Payment]] = {
    "authorize": lambda payment, _: domain.authorized(payment, "ref", NOW, NOW),
    "fail": lambda payment, _: domain.failed(payment, "CARD_DECLINED", NOW),
    "void": lambda payment, _: domain.released(payment, Kind.VOID, NOW),
    "capture": lambda payment, amount: domain.captured(payment, euros(amount), NOW),
    "refund": lambda payment, amount: domain.refunded(payment, euros(amount), NOW),
}
MOVES = st.lists(
    st.tuples(st.sampled_from(["authorize", "fail", "void", "capture", "refund"]), st.integers(-5, 1200)), max_size=15
)


@given(MOVES)
def test_whatever_is_tried_refunded_is_at_most_captured_is_at_most_authorized(moves: list[tuple[str, int]]) -> None:
    """The invariant of the ledger, over any sequence of attempts."""
    payment = pending()
    for move, amount in moves:
        try:
            payment = ATTEMPTS[move](payment, amount)
        except errors.Error:
            continue
        assert euros(0) <= payment.refunded <= payment.captured + payment.voided <= payment.authorized <= payment.amount
        assert payment.state is not State.VOIDED or payment.captured == euros(0)


def test_what_is_left_counts_down() -> None:
    """Captures and refunds are counted apart."""
    payment = domain.refunded(domain.captured(authorized(), euros(600), NOW), euros(100), NOW)
    assert payment.held == euros(400)
    assert payment.refundable == euros(500)
