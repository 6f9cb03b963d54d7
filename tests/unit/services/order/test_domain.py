"""The rules of an order."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.money import Money
from services.order.domain import placing as orders
from services.order.domain.errors import OrderNotCancellable
from services.order.domain.order import UNSETTLED, Line, Order, State
from services.order.domain.parts import Rejection
from services.order.domain.transitions import TRANSITIONS, IllegalTransitionError, Rule
from tests.unit.services.order.fakes import CUSTOMER, NOW


def an_order(*lines: Line) -> Order:
    """Place an order of the given lines, or of one."""
    return orders.place("o1", CUSTOMER, lines or (Line("A", 2, "p1", "A", Money("EUR", 1250)),), {}, NOW)


def rules() -> list[Rule]:
    """List every rule of the table."""
    return [rule for several in TRANSITIONS.values() for rule in several]


def test_a_new_order_is_pending_at_version_one() -> None:
    """Version one is the event that placed it."""
    order = an_order()
    assert (order.state, order.version, order.etag) == (State.PENDING, 1, "1")


@given(st.lists(st.tuples(st.integers(1, 10_000), st.integers(1, 10**9)), min_size=1, max_size=100))
def test_the_total_is_the_sum_of_quantity_times_price(lines: list[tuple[int, int]]) -> None:
    """No rounding happens: prices are whole minor units."""
    order = an_order(*(Line(f"S{i}", q, "p", "n", Money("EUR", p)) for i, (q, p) in enumerate(lines)))
    assert order.total == Money("EUR", sum(q * p for q, p in lines))


def test_an_order_without_stock_is_never_confirmed() -> None:
    """The guard of CONFIRM."""
    with pytest.raises(IllegalTransitionError):
        orders.confirm(an_order(), "pay", NOW)


def test_a_confirmed_order_knows_its_reservation_and_payment() -> None:
    """Both are needed to give them back later."""
    order = orders.confirm(orders.reserve_stock(an_order(), "res", NOW), "pay", NOW)
    assert (order.state, order.reservation_id, order.payment_id, order.version) == (
        State.CONFIRMED,
        "res",
        "pay",
        3,
    )


def test_a_rejected_order_can_not_be_cancelled() -> None:
    """The caller is told the state."""
    rejected = orders.reject(an_order(), Rejection("OUT_OF_STOCK", "none left"), NOW)
    with pytest.raises(OrderNotCancellable) as refusal:
        orders.request_cancellation(rejected, "", NOW)
    assert refusal.value.metadata["state"] == "REJECTED"


def test_time_never_runs_backwards_in_an_order() -> None:
    """A clock that was set back does not make an order younger."""
    earlier = orders.reserve_stock(an_order(), "res", NOW - timedelta(hours=1))
    assert earlier.update_time == NOW


def test_every_unsettled_state_has_a_way_out() -> None:
    """No order can be stuck by the table."""
    for state in UNSETTLED:
        assert any(state in rule.sources and rule.target not in {None, state} for rule in rules())


@given(st.lists(st.sampled_from(["reserve", "confirm", "reject", "request", "cancel"]), max_size=12))
def test_whatever_is_tried_an_order_only_moves_along_the_table(attempts: list[str]) -> None:
    """Each success adds one to the version and follows a rule; each refusal changes nothing."""
    order = an_order()
    moves = {
        "reserve": lambda o: orders.reserve_stock(o, "res", NOW),
        "confirm": lambda o: orders.confirm(o, "pay", NOW),
        "reject": lambda o: orders.reject(o, Rejection("R", ""), NOW),
        "request": lambda o: orders.request_cancellation(o, "", NOW),
        "cancel": lambda o: orders.cancel(o, NOW),
    }
    for attempt in attempts:
        try:
            moved = moves[attempt](order)
        except (IllegalTransitionError, OrderNotCancellable):
            continue
        assert moved.version == order.version + 1
        assert any(order.state in rule.sources and moved.state is (rule.target or order.state) for rule in rules())
        order = moved
