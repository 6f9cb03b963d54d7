"""Waiting for a component that is still starting, with an error that says which one never came and why."""

import time
from collections.abc import Callable
from typing import TypeVar

from deploy.native.errors import StackError

PAUSE_S = 0.1
DEFAULT_TIMEOUT_S = 60.0

T = TypeVar("T")


class ProvisionError(StackError):
    """A component could not be brought to the state it should have; the message says what to look at."""


def wait_for(
    what: str,
    probe: Callable[[], T],
    *,
    errors: tuple[type[Exception], ...],
    timeout_s: float = DEFAULT_TIMEOUT_S,
) -> T:
    """Call `probe` until it no longer raises one of `errors`, and return what it returned.

    Raises ProvisionError with the last of these errors when `timeout_s` have passed.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            return probe()
        except errors as error:
            if time.monotonic() >= deadline:
                message = f"{what} did not come within {timeout_s:.0f} s: {str(error) or type(error).__name__}"
                raise ProvisionError(message) from error
        time.sleep(PAUSE_S)
