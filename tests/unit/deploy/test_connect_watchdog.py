"""When connectors that have failed are restarted, and what is told of them."""

import itertools

import pytest

from deploy.native.connect_watchdog import FIRST_PAUSE_S, FORGOTTEN_AFTER_S, LONGEST_PAUSE_S, Watchdog

FAILED = {"order-outbox": "FAILED no rights"}


class Clock:
    """A clock that is put forward."""

    time = 0.0

    def __call__(self) -> float:
        """Tell the time."""
        return self.time


@pytest.fixture
def clock() -> Clock:
    """Begin at noon."""
    return Clock()


@pytest.fixture
def watchdog(clock: Clock) -> Watchdog:
    """One that has seen nothing yet."""
    return Watchdog(clock)


def test_what_has_failed_is_restarted_at_once(watchdog: Watchdog) -> None:
    """And what has not is left alone."""
    assert watchdog.due({}) == []
    assert watchdog.due(FAILED) == ["order-outbox"]


def test_a_restart_is_given_time(watchdog: Watchdog, clock: Clock) -> None:
    """Connect takes a moment to say that it is under way."""
    watchdog.due(FAILED)
    clock.time += FIRST_PAUSE_S / 2
    assert watchdog.due(FAILED) == []
    clock.time += FIRST_PAUSE_S / 2
    assert watchdog.due(FAILED) == ["order-outbox"]


def test_restarts_that_do_not_help_come_less_often_up_to_a_limit(watchdog: Watchdog, clock: Clock) -> None:
    """They never end: the cause may be repaired at any time, and then nobody wants to wait."""
    begins: list[float] = []
    while len(begins) < 6:
        begins += [clock.time for _ in watchdog.due(FAILED)]
        clock.time += 1
    pauses = [later - earlier for earlier, later in itertools.pairwise(begins)]
    assert pauses == [FIRST_PAUSE_S, 2 * FIRST_PAUSE_S, 4 * FIRST_PAUSE_S, LONGEST_PAUSE_S, LONGEST_PAUSE_S]


def test_who_ran_well_for_a_while_is_restarted_at_once_again(watchdog: Watchdog, clock: Clock) -> None:
    """And after it with the shortest pause."""
    for _ in range(5):
        watchdog.due(FAILED)
        clock.time += LONGEST_PAUSE_S
    clock.time += FORGOTTEN_AFTER_S
    assert watchdog.due(FAILED) == ["order-outbox"]
    clock.time += FIRST_PAUSE_S
    assert watchdog.due(FAILED) == ["order-outbox"]


def test_one_that_fails_does_not_hold_up_another(watchdog: Watchdog) -> None:
    """Each has its own pause."""
    watchdog.due(FAILED)
    assert watchdog.due({**FAILED, "auth-outbox": "FAILED"}) == ["auth-outbox"]


def test_a_restart_is_told_with_its_cause(watchdog: Watchdog, capsys: pytest.CaptureFixture[str]) -> None:
    """By what `make logs s=connect-watchdog` shows."""
    watchdog.due(FAILED)
    assert (
        "order-outbox is FAILED no rights; restart 1 in a row, another after 10 s if need be" in capsys.readouterr().out
    )
