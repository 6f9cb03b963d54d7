"""The order of a start's steps: as soon as possible, never too soon, and over at the first error."""

import threading

import pytest

from deploy.native.errors import StackError
from deploy.native.steps import Step, run


def quiet(name: str, said: str, seconds: float) -> None:
    """Report nothing."""


def test_a_step_waits_for_those_it_needs() -> None:
    """Whatever the order in which they are listed."""
    order: list[str] = []
    steps = [
        Step("slots", lambda: "", needs=("migrations",)),
        Step("migrations", lambda: "", needs=("databases",)),
        Step("databases", lambda: ""),
    ]
    run(steps, lambda name, _said, _seconds: order.append(name))
    assert order == ["databases", "migrations", "slots"]


def test_steps_that_need_nothing_of_each_other_run_side_by_side() -> None:
    """Each of the two only ends once the other has begun."""
    both = threading.Barrier(2, timeout=10)
    run([Step(name, lambda: f"{both.wait()}") for name in ("kafka", "consul")], quiet)


def test_only_what_was_changed_is_told() -> None:
    """A start that changes nothing can say so."""
    assert run([Step("databases", lambda: ""), Step("topics", lambda: "3 made")], quiet) == ["3 made"]


def test_the_first_error_ends_it_at_once() -> None:
    """Nobody waits for the minute that another step would still take."""
    released, began = threading.Event(), threading.Event()

    def slow() -> str:
        began.set()
        released.wait(30)
        return ""

    def failing() -> str:
        began.wait(30)
        raise StackError("kafka keeps ending")

    try:
        with pytest.raises(StackError, match="kafka keeps ending"):
            run([Step("slow", slow), Step("kafka", failing), Step("topics", lambda: "", needs=("kafka",))], quiet)
        assert not released.is_set()
    finally:
        released.set()


def test_a_need_that_nothing_meets_is_a_mistake_and_no_endless_wait() -> None:
    """It is named."""
    with pytest.raises(ValueError, match="topics"):
        run([Step("topics", lambda: "", needs=("kafka",))], quiet)
