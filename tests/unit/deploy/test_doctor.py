"""What the doctor calls a problem, and that it says what to do about it."""

import socket
from pathlib import Path
from typing import Any

import pytest
from pytest_socket import enable_socket

from deploy.native import ports, secrets
from deploy.native.doctor import Finding, lag, machine, running
from deploy.native.runtime import Runtime

CHECKOUT = Path(__file__).resolve().parents[3]
MIB = 1024 * 1024


@pytest.fixture
def runtime(tmp_path: Path) -> Runtime:
    """A stack in a folder of its own."""
    return Runtime.load(CHECKOUT, {"ORDERMESH_RUN": str(tmp_path)})


def connector(state: str, *tasks: str) -> dict[str, Any]:
    """A connector's status as Connect tells it."""
    return {"connector": {"state": state}, "tasks": [{"state": task, "trace": "cause\n\tat"} for task in tasks]}


def test_a_problem_comes_with_what_to_do() -> None:
    """On a line of its own; what is well takes one."""
    assert str(Finding("Java 17")) == "ok       Java 17"
    assert str(Finding("no Java", "apt-get install it")).splitlines() == [
        "PROBLEM  no Java",
        "         apt-get install it",
    ]


@pytest.mark.parametrize(
    ("wal_status", "retained", "active", "well"),
    [
        ("reserved", 20 * MIB, True, True),
        ("reserved", 20 * MIB, False, False),
        ("extended", 600 * MIB, True, False),
        ("lost", 0, False, False),
    ],
)
def test_a_slot_is_well_while_it_is_read_and_keeps_little(
    wal_status: str, retained: int, *, active: bool, well: bool
) -> None:
    """What it keeps can fill the disk, and is lost at the limit."""
    assert (not running.slot("order_outbox", wal_status, retained, active=active).advice) is well


@pytest.mark.parametrize(
    ("status", "well"),
    [
        (connector("RUNNING", "RUNNING"), True),
        (connector("RUNNING", "FAILED"), False),
        (connector("RUNNING"), False),
        (connector("PAUSED", "PAUSED"), False),
    ],
)
def test_a_connector_is_well_only_with_its_task(status: dict[str, Any], *, well: bool) -> None:
    """Connect calls it RUNNING while its only task has failed."""
    finding = running.connector("order-outbox", status)
    assert (not finding.advice) is well
    assert "\tat" not in finding.what


def test_lag_is_what_lies_between_the_commits_and_the_ends() -> None:
    """A commit beyond the end, read after it, counts as none."""
    places = {("order-events", 0): 5, ("order-events", 1): 9}
    ends = {("order-events", 0): 8, ("order-events", 1): 8}
    assert lag.behind(places, ends) == 3


def test_of_a_topic_that_is_gone_nothing_is_left_to_read() -> None:
    """Though a group's offsets for it remain for a while."""
    assert lag.behind({("order-events", 0): 5, ("former-events", 0): 9}, {("order-events", 0): 8}) == 3


def test_secrets_that_others_may_read_are_told(runtime: Runtime) -> None:
    """With the command that closes them."""
    secrets.ensure(runtime.root, runtime.topology.services)
    assert not any(finding.advice for finding in machine.private_files(runtime))
    file = runtime.root / secrets.FILE_NAME
    file.chmod(0o644)
    assert [finding.advice for finding in machine.private_files(runtime)] == [f"chmod 600 {file}"]


def test_too_little_space_is_a_problem() -> None:
    """Enough is not."""
    assert machine.enough(machine.GIB, 3 * machine.GIB, "of memory", "more").advice == "more"
    assert not machine.enough(4 * machine.GIB, 3 * machine.GIB, "of memory", "more").advice


def test_available_memory_is_what_the_kernel_says(tmp_path: Path) -> None:
    """In bytes, from kB."""
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal:       24683520 kB\nMemAvailable:    2048 kB\n")
    assert machine.available_memory(meminfo) == 2 * MIB


def test_a_taken_port_is_told_with_who_holds_it() -> None:
    """So one knows what to end; a port that was left is free again."""
    enable_socket()  # Nothing is sent: a port is only held.
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        port = held.getsockname()[1]
        assert "pytest" in ports.taken([port])[port]
    assert not ports.taken([port])
