"""Calls in threads that the process does not wait for."""

import subprocess
import sys

import pytest

from services.common.daemon_threads import DaemonThreads

STUCK = """
import time
from services.common.daemon_threads import DaemonThreads
DaemonThreads().submit(time.sleep, 60)
"""


def test_a_call_has_its_result_or_what_it_raised() -> None:
    """As with any executor."""
    threads = DaemonThreads()
    assert threads.submit(divmod, 7, 2).result(5) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        threads.submit(divmod, 7, 0).result(5)


def test_a_process_ends_although_a_call_is_stuck() -> None:
    """Which is what they are for."""
    subprocess.run([sys.executable, "-c", STUCK], check=True, timeout=20)  # noqa: S603 - our own code
