"""What follows from a change of a level."""

from hypothesis import given
from hypothesis import strategies as st

from services.inventory.domain.stock import Level, Policy, change


def level(on_hand: int, reserved: int = 0, backordered: int = 0, policy: Policy | None = None) -> Level:
    """Make a level."""
    policy = policy or Policy()
    return Level(
        "A",
        "w",
        "w",
        0,
        on_hand,
        reserved,
        backordered,
        policy.safety_stock,
        policy.backorder_limit,
        policy.low_stock_threshold,
    )


def test_units_that_come_are_held_for_those_who_wait() -> None:
    """The rest can be sold."""
    changed = change(level(2, 2, 3), on_hand=5)
    assert (changed.after.on_hand, changed.after.reserved, changed.after.backordered, changed.filled) == (7, 5, 0, 3)


def test_units_that_are_gone_are_waited_for() -> None:
    """Nothing is held that isn't there."""
    changed = change(level(5, 4), on_hand=-3)
    assert (changed.after.on_hand, changed.after.reserved, changed.after.backordered, changed.filled) == (2, 2, 2, -2)


def test_safety_stock_is_not_for_those_who_wait() -> None:
    """Until the policy says so."""
    waiting = level(2, 0, 3, Policy(safety_stock=2))
    assert change(waiting, on_hand=1).filled == 1
    assert change(waiting, policy=Policy()).filled == 2


def test_a_level_is_low_at_its_threshold() -> None:
    """Of what can be sold, not of what is there."""
    policy = Policy(safety_stock=1, low_stock_threshold=3)
    assert [level(units, 1, 0, policy).low for units in (6, 5, 0)] == [False, True, True]
    assert not level(0).low


@given(
    st.integers(0, 9),
    st.integers(0, 9),
    st.integers(0, 9),
    st.integers(0, 4),
    st.tuples(st.integers(-9, 9), st.integers(-9, 9), st.integers(-9, 9)),
)
def test_no_change_oversells_or_lets_anybody_wait_for_what_is_there(
    on_hand: int, reserved: int, backordered: int, safety: int, more: tuple[int, int, int]
) -> None:
    """And promises are neither lost nor made."""
    start = change(level(on_hand, 0, 0, Policy(safety)), reserved=reserved, backordered=backordered).after
    if any(had + now < 0 for had, now in zip((start.on_hand, start.reserved, start.backordered), more, strict=True)):
        return
    after = change(start, on_hand=more[0], reserved=more[1], backordered=more[2]).after
    assert 0 <= after.reserved <= after.on_hand
    assert after.backordered == 0 or after.available <= 0
    assert after.reserved + after.backordered == start.reserved + start.backordered + more[1] + more[2]
