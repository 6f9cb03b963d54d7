"""The stack that tests talk to: the same `up` and `down` as a developer's, in its own folder and on its own ports."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from deploy.native import doctor
from deploy.native.errors import StackError
from deploy.native.runtime import PORT_OFFSET, Runtime

CHECKOUT = Path(__file__).resolve().parents[1]
TEST_OFFSET = "10000"
START_TIMEOUT_S = 900
STOP_TIMEOUT_S = 120
# What each program said last of its troubles, in the words of any of their logs.
TROUBLE = re.compile(r"\bERROR\b|\bFATAL\b|\bPANIC\b|WARN exited|Failed authentication|\"level\":\s*\"error\"")
LAST, WIDTH = 3, 300


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


def ailments(runtime: Runtime) -> list[str]:
    """Say what `make doctor` finds to be wrong, and how often and how each program complained of late."""
    try:
        found = [str(finding) for finding in doctor.examine(runtime) if finding.advice]
    except StackError as error:
        found = [f"it cannot be looked at: {error}"]
    for log in sorted(runtime.log("kafka").parent.glob("*.log")):
        lines = [line for line in log.read_text(errors="replace").splitlines() if TROUBLE.search(line)]
        found += [f"{log.stem}, the last of {len(lines)}: {line[:WIDTH]}" for line in lines[-LAST:]]
    return found


def _command(*arguments: str, timeout: float) -> None:
    """Run a command of ours; its output is the test's to show if it fails."""
    subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", "deploy.native", *arguments],
        cwd=CHECKOUT,
        env=environment(),
        check=True,
        timeout=timeout,
    )
