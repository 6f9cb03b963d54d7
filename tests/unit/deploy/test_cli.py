"""The commands: each is there, says what it is for, and tells what a person can mend without a traceback."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.native import cli, conclusion, logs, status
from deploy.native.errors import StackError
from deploy.native.programs import Program, Stage
from deploy.native.runtime import Runtime
from deploy.native.starting import last_lines
from deploy.native.status import Line
from deploy.native.supervisor import State

CHECKOUT = Path(__file__).resolve().parents[3]


@pytest.fixture
def runtime(tmp_path: Path) -> Runtime:
    """A stack in a folder of its own, with the logs of four programs."""
    runtime = Runtime.load(CHECKOUT, {"ORDERMESH_RUN": str(tmp_path)})
    runtime.log("any").parent.mkdir()
    for name in ("order", "control-plane-0", "control-plane-1", "kafka"):
        runtime.log(name).write_text(f"{name} started\n")
    return runtime


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command of ours for real."""
    command = [sys.executable, "-m", "deploy.native", *arguments]
    return subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)  # noqa: S603 - our own


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_is_there(name: str) -> None:
    """The table names modules as text, which no type checker follows."""
    module = importlib.import_module(f"deploy.native.{cli.COMMANDS[name][0]}")
    assert callable(module.command)


def test_without_a_command_the_commands_are_told() -> None:
    """And that is a failure, so that a script notices."""
    done = run()
    assert done.returncode == 1
    assert all(name in done.stderr for name in cli.COMMANDS)


def test_what_a_person_can_mend_is_told_in_a_sentence() -> None:
    """No traceback, and no zero."""
    done = run("logs", "nobody")
    assert done.returncode == 1
    assert done.stderr.startswith("error: nobody has no log")
    assert "Traceback" not in done.stderr


def test_logs_of_a_program_are_those_of_all_its_replicas(runtime: Runtime) -> None:
    """And of nobody whose name merely begins alike."""
    assert logs.files_of(runtime, "control-plane") == [runtime.log("control-plane-0"), runtime.log("control-plane-1")]
    assert logs.files_of(runtime, "order") == [runtime.log("order")]


@pytest.mark.parametrize("name", ["", "ord", "nobody"])
def test_who_asks_for_no_log_there_is_hears_which_there_are(runtime: Runtime, name: str) -> None:
    """Whatever the reason."""
    with pytest.raises(StackError, match="control-plane-0, control-plane-1, kafka, order"):
        logs.files_of(runtime, name)


def test_the_end_of_a_log_is_without_javas_frames(tmp_path: Path) -> None:
    """Fifteen of them would hide the error above."""
    log = tmp_path / "connect.log"
    log.write_text("older\nCaused by: no such file\n\tat java.base/somewhere\n\tat java.base/elsewhere\n")
    assert last_lines(log, 1) == "Caused by: no such file"
    assert last_lines(tmp_path / "none.log") == ""


def test_the_table_lines_up_and_says_what_is_wrong() -> None:
    """One line for each program, under the headings."""
    order = Program(name="order", command=("python",), stage=Stage.SERVICE, ports=(9050,))
    rows = [
        Line(order, State("order", "RUNNING", 42, 1000, 4700, ""), 50 * 1024 * 1024, ""),
        Line(order, State("order", "RUNNING", 43, 1000, 1005, ""), 0, "not serving"),
        Line(order, State("order", "STOPPED", 0, 0, 1005, ""), 0, "Connection refused"),
    ]
    heading, well, ill, stopped = status.table(rows).splitlines()
    assert well.split() == ["order", "healthy", "42", "1", "h", "1", "min", "50", "MB", "9050"]
    assert "running, not serving" in ill
    assert stopped.split() == ["order", "stopped", "-", "-", "-", "9050"]
    assert len({len(heading), len(well), len(ill), len(stopped)}) == 1


@pytest.mark.parametrize(("seconds", "told"), [(-1, "0 s"), (59, "59 s"), (61, "1 min"), (11_520, "3 h 12 min")])
def test_times_are_told_as_people_do(seconds: int, told: str) -> None:
    """Nobody counts thousands of seconds."""
    assert status.duration(seconds) == told


def test_the_last_words_show_no_secret(runtime: Runtime) -> None:
    """They name the file that has them: terminals are copied into tickets."""
    words = "\n".join(conclusion.places(runtime))
    assert f"{runtime.root}/credentials.json" in words
    assert f"http://127.0.0.1:{runtime.port('edge', 'http')}/docs" in words
