"""Whose processes are whose, what they take, and that those that do not want to end are made to."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.native import launch, processes
from deploy.native.processes import Table

SLEEP = (sys.executable, "-c", "import time; print(flush=True); time.sleep(60)")
STUBBORN = (
    sys.executable, "-c",
    "import signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN); print(flush=True); time.sleep(60)",
)  # fmt: skip


@pytest.fixture
def begun() -> Iterator[list[subprocess.Popen[bytes]]]:
    """Processes to be ended after the test, whatever it did."""
    processes_begun: list[subprocess.Popen[bytes]] = []
    yield processes_begun
    for process in processes_begun:
        process.kill()
        process.communicate()


def begin(
    begun: list[subprocess.Popen[bytes]], command: tuple[str, ...], root: Path, cwd: Path | None = None
) -> subprocess.Popen[bytes]:
    """Start a process as the supervisor of the stack in `root` would; answers when it runs."""
    environment = {**os.environ, processes.MARK: str(root)}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, cwd=cwd)  # noqa: S603 - our own
    begun.append(process)
    assert process.stdout is not None
    process.stdout.readline()
    return process


def test_processes_are_known_by_the_stack_that_started_them(
    begun: list[subprocess.Popen[bytes]], tmp_path: Path
) -> None:
    """Another stack's, or one whose folder begins alike, is none of ours."""
    ours = begin(begun, SLEEP, tmp_path / "run")
    begin(begun, SLEEP, tmp_path / "run-2")
    assert processes.of_stack(tmp_path / "run") == {ours.pid: ""}


def test_a_person_whose_shell_names_the_stack_is_no_process_of_it(tmp_path: Path) -> None:
    """ORDERMESH_RUN is for people; `make down` must not end their shells."""
    ask = f"processes.of_stack(Path({str(tmp_path)!r}))"
    script = f"from pathlib import Path; from deploy.native import processes; print({ask})"
    environment = {**os.environ, "ORDERMESH_RUN": str(tmp_path)}
    said = subprocess.run([sys.executable, "-c", script], env=environment, check=True, capture_output=True, text=True)  # noqa: S603 - our own
    assert said.stdout.strip() == "{}"


def test_one_that_ignores_the_request_is_killed(begun: list[subprocess.Popen[bytes]], tmp_path: Path) -> None:
    """A stop always comes to an end."""
    stubborn = begin(begun, STUBBORN, tmp_path)
    processes.end([stubborn.pid], patience_s=0.3)
    assert stubborn.wait(10) == -signal.SIGKILL


def test_ending_what_has_ended_is_no_error(begun: list[subprocess.Popen[bytes]], tmp_path: Path) -> None:
    """Processes end by themselves while we look."""
    gone = begin(begun, SLEEP, tmp_path)
    gone.kill()
    gone.wait()
    processes.end([gone.pid], patience_s=0.3)
    assert not processes.alive(gone.pid)


def test_a_family_is_all_that_a_process_started() -> None:
    """Their children, too, but nobody else's."""
    table = Table({1: 0, 10: 1, 11: 10, 12: 11, 20: 1})
    assert table.family(10) == {10, 11, 12}
    assert table.family(99) == set()


def test_this_process_takes_memory() -> None:
    """In bytes: an interpreter is larger than 1 MB."""
    assert processes.memory([os.getpid()]) > 1_000_000


def test_who_works_in_a_folder_is_found(begun: list[subprocess.Popen[bytes]], tmp_path: Path) -> None:
    """A child of a killed PostgreSQL works in its data directory until it notices."""
    inside = begin(begun, SLEEP, tmp_path, cwd=tmp_path)
    assert list(launch.processes_in(tmp_path)) == [inside.pid]
    assert not list(launch.processes_in(tmp_path.parent))


def test_a_start_waits_no_longer_than_it_says(begun: list[subprocess.Popen[bytes]], tmp_path: Path) -> None:
    """Then it says who is in the way."""
    inside = begin(begun, SLEEP, tmp_path, cwd=tmp_path)
    with pytest.raises(SystemExit, match=str(inside.pid)):
        launch.await_leaving(tmp_path, patience_s=0.2)
