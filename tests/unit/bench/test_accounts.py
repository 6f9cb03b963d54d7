"""CPU time and memory are read as the kernel writes them."""

import os
import subprocess
import sys
import time

import pytest

from bench.accounts import TICKS_PER_SECOND, Cpu, cpu_seconds, families, memory
from bench.errors import BenchError
from deploy.native.processes import Table

STAT = "4711 ({name}) S 1 4711 4711 0 -1 4194560 3041 512 1 0 {cpu} 20 0 9 0 88 1000 200 18446744073709551615"
A_PID_THAT_CANNOT_BE = 2**30
BURN = "import time\nend = time.process_time() + 0.2\nwhile time.process_time() < end: pass"


def test_cpu_time_is_user_and_system_time_with_that_of_ended_children() -> None:
    """The four figures stand together."""
    assert cpu_seconds(STAT.format(name="postgres", cpu="100 50 30 20")) == 200 / TICKS_PER_SECOND


def test_a_name_with_spaces_and_parentheses_moves_nothing() -> None:
    """Names are anything a process calls itself."""
    assert cpu_seconds(STAT.format(name="wrk:worker (0) x", cpu="1 2 0 0")) == 3 / TICKS_PER_SECOND


def test_a_program_is_charged_for_what_it_did_in_between() -> None:
    """Two looks, and work between them."""
    pids = {"ourselves": os.getpid()}
    before = Cpu.read(pids)
    until = time.process_time() + 0.1
    while time.process_time() < until:
        pass
    spent = Cpu.read(pids).since(before)["ourselves"]
    assert 0.05 <= spent <= 10


def test_a_program_is_charged_for_its_ended_children() -> None:
    """A database's backend that leaves takes nothing away from the bill."""
    pids = {"ourselves": os.getpid()}
    before = Cpu.read(pids)
    subprocess.run([sys.executable, "-c", BURN], check=True)  # noqa: S603 - our own line
    assert Cpu.read(pids).since(before)["ourselves"] >= 0.15


def test_a_program_that_has_ended_is_named() -> None:
    """Its figures would be wrong, so there are none."""
    with pytest.raises(BenchError, match="make logs s=order"):
        Cpu.read({"order": A_PID_THAT_CANNOT_BE})


def test_memory_is_what_is_taken_now() -> None:
    """A Python process takes more than a megabyte."""
    assert memory({"ourselves": os.getpid()})["ourselves"] > 1024 * 1024


def test_what_a_program_started_is_its_own_but_for_other_programs() -> None:
    """The supervisor started all of them, and is charged for itself only."""
    table = Table({10: 1, 20: 10, 21: 20, 22: 21, 30: 10, 31: 30, 99: 1})
    assert families({"supervisor": 10, "postgres": 20, "order": 30}, table) == {
        "supervisor": {10},
        "postgres": {20, 21, 22},
        "order": {30, 31},
    }
