"""The bound on calls that are made again."""

from hypothesis import given
from hypothesis import strategies as st

from mesh.budget import Budget


@given(st.lists(st.booleans(), max_size=300))
def test_never_more_than_a_share_of_all_and_the_reserve(asked: list[bool]) -> None:
    """In whatever order calls are counted (True) and asked to be made again (False)."""
    budget = Budget(share=0.2, reserve=3)
    taken = sum(budget.take() for call in asked if not call or budget.count())  # type: ignore[func-returns-value]
    assert taken <= 3 + 0.2 * asked.count(True) + 1e-9


def test_a_quiet_service_has_the_reserve() -> None:
    """And no more, however many calls went well before."""
    budget = Budget(share=0.5, reserve=2)
    for _ in range(100):
        budget.count()
    assert [budget.take() for _ in range(4)] == [True, True, False, False]


def test_a_share_of_the_calls_may_be_made_again() -> None:
    """One in two here, however long all of them fail."""
    budget = Budget(share=0.5, reserve=1)
    budget.take()
    found = []
    for _ in range(6):
        budget.count()
        found.append(budget.take())
    assert found == [False, True] * 3
