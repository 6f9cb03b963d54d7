"""Starts one program and waits until it does its work; a program that keeps ending is told with its last words."""

import os
import time
from pathlib import Path

from deploy.native import health, reloading
from deploy.native.errors import StackError
from deploy.native.programs import Program
from deploy.native.runtime import Runtime
from deploy.native.supervisor import State, Supervisor

# Long enough for a machine that does much else beside.
PATIENCE_S = 180
PAUSE_S = 0.1
# The supervisor would try for ever; somebody who waits wants to know earlier.
ATTEMPTS = 3
LAST_LINES = 15
TAIL_BYTES = 16_384


class ProgramFailed(StackError):
    """A program does not come up; the message has the end of its log."""


def start(program: Program, supervisor: Supervisor, runtime: Runtime, *, patience_s: float = PATIENCE_S) -> str:
    """Start it if need be, and return once it is healthy; say so if it was not running."""
    began = time.monotonic()
    fresh = supervisor.run(program.name)
    attempts: set[int] = set()
    while trouble := health.complaint(program):
        state = supervisor.state(program.name)
        attempts.add(state.started_at)
        if len(attempts) > ATTEMPTS or state.state == "FATAL":
            raise _failed(program, runtime, f"keeps ending{state.complaint and f' ({state.complaint})'}")
        if time.monotonic() - began > patience_s:
            raise _failed(program, runtime, f"is not well after {patience_s:.0f} s: {trouble}")
        time.sleep(PAUSE_S)
    if fresh:
        reloading.note(program, runtime)
        return f"{program.name} started"
    return reloading.reload(program, supervisor, runtime) if reloading.is_due(program, runtime) else ""


def last_lines(log: Path, count: int = LAST_LINES) -> str:
    """Read the end of a log, without the frames of Java's stack traces; empty while there is none."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL_BYTES))
            lines = file.read().decode(errors="replace").splitlines()
    except FileNotFoundError:
        return ""
    return "\n".join([line for line in lines if not line.startswith("\tat ")][-count:])


def describe(state: State) -> str:
    """Say in a word or two how the supervisor finds a program."""
    return state.state.lower() if state.runs or not state.complaint else f"{state.state.lower()}: {state.complaint}"


def _failed(program: Program, runtime: Runtime, trouble: str) -> ProgramFailed:
    log = runtime.log(program.name)
    return ProgramFailed(f"{program.name} {trouble}. The end of {log}:\n{last_lines(log)}")
