"""The stack that tests talk to: the same `up` and `down` as a developer's, in its own folder and on its own ports."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from deploy.native.runtime import PORT_OFFSET, Runtime

CHECKOUT = Path(__file__).resolve().parents[1]
TEST_OFFSET = "10000"
START_TIMEOUT_S = 900
STOP_TIMEOUT_S = 120


def environment() -> Mapping[str, str]:
    """Return the environment of commands that mean the tests' stack."""
    return {**os.environ, PORT_OFFSET: os.environ.get(PORT_OFFSET) or TEST_OFFSET}


@contextmanager
def running() -> Iterator[Runtime]:
    """Start everything, and stop it at the end, whatever happened in between."""
    try:
        _command("up", "--no-demo", timeout=START_TIMEOUT_S)
        yield Runtime.load(CHECKOUT, environment())
    finally:
        _command("down", timeout=STOP_TIMEOUT_S)


def _command(*arguments: str, timeout: float) -> None:
    """Run a command of ours; its output is the test's to show if it fails."""
    subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", "deploy.native", *arguments],
        cwd=CHECKOUT,
        env=environment(),
        check=True,
        timeout=timeout,
    )
