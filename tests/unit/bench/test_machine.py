"""The machine is described, and its work read as the kernel counts it."""

from pathlib import Path

from bench import machine
from bench.accounts import TICKS_PER_SECOND
from deploy.native.runtime import Runtime

CHECKOUT = Path(__file__).resolve().parents[3]
STAT = "cpu  100 20 30 9000 500 6 4 40 0 0\ncpu0 1 2 3 4 5 6 7 8 9 10\n"


def test_busy_is_all_but_idle_and_waiting_for_disks() -> None:
    """User, nice, system, irq, softirq and what the host took."""
    assert machine.busy_seconds(STAT) == 200 / TICKS_PER_SECOND


def test_the_facts_begin_with_how_many_processors_there_are() -> None:
    """A report without it says little."""
    facts = machine.facts(Runtime.load(CHECKOUT, {}))
    assert int(facts["processor"].split(" x ")[0]) >= 1
    assert {"memory", "kernel", "Python", "grpcio", "postgresql", "kafka", "envoy"} <= facts.keys()
