"""What may become of units that are held for an order."""

from datetime import UTC, datetime

import pytest

from mesh import errors
from services.inventory.domain.errors import NotCommitted, NotHeld, ReservationSettled, StockBackordered
from services.inventory.domain.reservation import (
    Allocation,
    Line,
    Reservation,
    State,
    Units,
    backorder,
    commit,
    release,
    revert,
    take_back,
)

NOW = datetime(2030, 1, 1, tzinfo=UTC)


def held(*allocations: Allocation) -> Reservation:
    """Make a reservation."""
    return Reservation("r", "o", State.HELD, allocations, NOW, NOW)


def test_a_parcel_takes_the_units_of_its_warehouse() -> None:
    """The rest stays held."""
    moved = commit(held(Allocation("A", "w1", 3), Allocation("A", "w2", 3)), [Line("A", 2, "w2")])
    assert moved.units == (Units("A", "w2", 2),)
    assert [part.held for part in moved.reservation.allocations] == [3, 1]
    assert (moved.reservation.state, moved.reservation.version) == (State.HELD, 2)


def test_a_parcel_can_take_from_several_warehouses_when_it_names_none() -> None:
    """As far as each has them."""
    moved = commit(held(Allocation("A", "w1", 3), Allocation("A", "w2", 3)), [Line("A", 4)])
    assert moved.units == (Units("A", "w1", 3), Units("A", "w2", 1))


def test_units_leave_only_from_where_they_are_held() -> None:
    """Another warehouse may have plenty; they are others'."""
    with pytest.raises(NotHeld) as refusal:
        commit(held(Allocation("A", "w1", 3)), [Line("A", 1, "w2")])
    assert refusal.value.metadata["held"] == "0"


def test_the_last_parcel_commits_the_reservation() -> None:
    """Also when the rest was released before."""
    part = release(held(Allocation("A", "w", 3)), [Line("A", 1)]).reservation
    moved = commit(part)
    assert moved.units == (Units("A", "w", 2),)
    assert moved.reservation.state is State.COMMITTED
    assert commit(moved.reservation).units == ()


def test_what_has_not_arrived_does_not_leave() -> None:
    """Neither as a whole nor in a parcel; what is there does."""
    waiting = held(Allocation("A", "w", 3, backordered=2))
    for lines in ([], [Line("A", 2)]):
        with pytest.raises(StockBackordered) as refusal:
            commit(waiting, lines)
        assert refusal.value.metadata["skus"] == "A"
    assert commit(waiting, [Line("A", 1)]).reservation.state is State.HELD
    with pytest.raises(NotHeld):
        commit(waiting, [Line("A", 4)])


def test_nothing_leaves_that_was_given_back() -> None:
    """The order got what it asked for."""
    with pytest.raises(ReservationSettled):
        commit(release(held(Allocation("A", "w", 3))).reservation)


def test_what_is_waited_for_is_given_back_first() -> None:
    """A customer who wants fewer keeps what is there."""
    moved = release(held(Allocation("A", "w1", 2), Allocation("A", "w2", 3, backordered=2)), [Line("A", 3)])
    assert moved.units == (Units("A", "w1", 1), Units("A", "w2", 2, backordered=2))


def test_more_than_is_held_can_t_be_given_back() -> None:
    """Nothing is, then."""
    with pytest.raises(NotHeld):
        release(held(Allocation("A", "w", 2)), [Line("A", 3)])


def test_all_that_is_held_is_given_back_again_and_again() -> None:
    """Once with an effect, also when a part had left."""
    part = commit(held(Allocation("A", "w", 3)), [Line("A", 1)]).reservation
    moved = release(part)
    assert moved.units == (Units("A", "w", 2),)
    assert moved.reservation.state is State.COMMITTED
    assert release(moved.reservation).units == ()


def test_nothing_is_given_back_when_all_has_left() -> None:
    """It can only be returned."""
    with pytest.raises(ReservationSettled):
        release(commit(held(Allocation("A", "w", 3))).reservation)


def test_units_return_to_where_they_came_from_or_elsewhere() -> None:
    """At most as many as left, in all."""
    gone = commit(held(Allocation("A", "w1", 2), Allocation("A", "w2", 2))).reservation
    first = take_back(gone, [Line("A", 3)])
    assert first.units == (Units("A", "w1", 2), Units("A", "w2", 1))
    with pytest.raises(NotCommitted):
        take_back(first.reservation, [Line("A", 2)])
    assert take_back(first.reservation, [Line("A", 1, "w9")]).units == (Units("A", "w9", 1),)


def test_one_return_to_two_places_is_counted_once() -> None:
    """Each unit comes back to one of them."""
    gone = commit(held(Allocation("A", "w1", 2))).reservation
    both = take_back(gone, [Line("A", 1, "w2"), Line("A", 1)])
    assert both.units == (Units("A", "w1", 1), Units("A", "w2", 1))
    assert both.reservation.allocations[0].returned == 2


def test_units_that_did_not_leave_are_held_where_they_were() -> None:
    """Although the same SKU left from elsewhere too; the reservation is open again."""
    gone = commit(held(Allocation("A", "w1", 2), Allocation("A", "w2", 2))).reservation
    moved = revert(gone, [Units("A", "w2", 2)])
    assert [part.held for part in moved.reservation.allocations] == [0, 2]
    assert (moved.units, moved.reservation.state) == ((Units("A", "w2", 2),), State.HELD)


def test_units_that_came_back_left() -> None:
    """So nobody can say that they didn't."""
    gone = commit(held(Allocation("A", "w", 2))).reservation
    with pytest.raises(NotCommitted):
        revert(take_back(gone, [Line("A", 1)]).reservation, [Units("A", "w", 2)])


def test_units_that_arrive_are_held() -> None:
    """And can leave."""
    waiting = held(Allocation("A", "w", 3, backordered=2))
    filled = backorder(waiting, [Units("A", "w", -2)])
    assert commit(filled).units == (Units("A", "w", 3),)


@pytest.mark.parametrize("lines", [[Line("B", 1)], [Line("A", 1, "w"), Line("A", 1)]])
def test_a_refusal_changes_nothing(lines: list[Line]) -> None:
    """Reservations are values."""
    one = held(Allocation("A", "w", 1))
    for act in (commit, release, take_back):
        with pytest.raises(errors.FailedPrecondition):
            act(one, lines)
    assert one.allocations == (Allocation("A", "w", 1),)
