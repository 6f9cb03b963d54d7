"""A gateway that doesn't answer is left alone, and tried again one call at a time."""

from datetime import timedelta

from services.payment.breaker import Breaker


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        """Begin at zero."""
        self.now = 0.0

    def __call__(self) -> float:
        """Tell the time."""
        return self.now


def failed(breaker: Breaker) -> None:
    """Have a call fail."""
    breaker.begin()
    breaker.end(answered=False)


def test_it_opens_after_so_many_failures_in_a_row() -> None:
    """An answer in between starts the count anew."""
    breaker = Breaker(2, timedelta(seconds=10), Clock())
    failed(breaker)
    breaker.begin()
    breaker.end(answered=True)
    failed(breaker)
    assert breaker.allows
    failed(breaker)
    assert not breaker.allows


def test_one_call_finds_out_whether_it_is_back() -> None:
    """The others wait for what that one finds."""
    clock = Clock()
    breaker = Breaker(1, timedelta(seconds=10), clock)
    failed(breaker)
    clock.now = 10.0
    allowed = [breaker.allows]
    breaker.begin()
    allowed.append(breaker.allows)
    breaker.end(answered=True)
    allowed.append(breaker.allows)
    assert allowed == [True, False, True]


def test_a_try_that_was_given_up_leaves_room_for_the_next() -> None:
    """Its caller went away, which tells nothing of the gateway."""
    clock = Clock()
    breaker = Breaker(1, timedelta(seconds=10), clock)
    failed(breaker)
    clock.now = 10.0
    breaker.begin()
    breaker.end(answered=None)
    assert breaker.allows
    assert breaker.open
