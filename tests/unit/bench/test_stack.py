"""The bench measures what runs, and says what to do when nothing does."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from bench import __main__ as command_line
from bench import stack
from bench.errors import BenchError
from bench.stack import Stack
from deploy.native.runtime import ROOT, Runtime
from deploy.native.supervisor import State

CHECKOUT = Path(__file__).resolve().parents[3]


def runtime(root: Path) -> Runtime:
    """A stack in another folder."""
    return replace(Runtime.load(CHECKOUT, {}), root=root)


class Supervised:
    """A supervisor of two programs."""

    def __init__(self, state: str = "RUNNING", *, answers: bool = True) -> None:
        self._state = state
        self._answers = answers

    def answers(self) -> bool:
        """Whether it runs."""
        return self._answers

    def states(self) -> list[State]:
        """One program runs, the other is as we were told."""
        told = (("order", "RUNNING", 10), ("control-plane-0", self._state, 20))
        return [State(name, state, pid, started_at=1, now=2, complaint="") for name, state, pid in told]

    def pid(self) -> int:
        """Its own."""
        return 1


def supervised(root: Path, monkeypatch: pytest.MonkeyPatch, state: str = "RUNNING") -> Stack:
    """Find a stack under such a supervisor."""
    found = {
        "edge_http": "http://edge",
        "kafka_client": "file",
        "admin_email": "a@b.test",
        "admin_password": "secret words",
    }
    (root / stack.CREDENTIALS).write_text(json.dumps(found))
    monkeypatch.setattr(stack, "Supervisor", lambda *_: Supervised(state))
    return Stack.find(runtime(root))


def test_no_stack_is_told_with_what_to_do(tmp_path: Path) -> None:
    """Nothing is made in its folder either."""
    with pytest.raises(BenchError, match="make up"):
        Stack.find(runtime(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_the_command_line_tells_it_without_a_traceback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And ends with an error."""
    monkeypatch.setenv(ROOT, str(tmp_path))
    with pytest.raises(SystemExit, match=r"error: .*make up"):
        command_line.main(["--quick"])


@pytest.mark.parametrize(
    ("answers", "told"), [(False, "does not run; start"), (True, "has no admin_email, kafka_client")]
)
def test_what_another_version_left_behind_is_told_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, answers: bool, told: str
) -> None:
    """Its file lacks what we look for, whether it runs or not."""
    left = {"edge_http": "http://edge", "admin_password": "secret words"}
    (tmp_path / stack.CREDENTIALS).write_text(json.dumps(left))
    monkeypatch.setattr(stack, "Supervisor", lambda *_: Supervised(answers=answers))
    with pytest.raises(BenchError, match=rf"{told}.*make up") as refused:
        Stack.find(runtime(tmp_path))
    assert "secret words" not in str(refused.value)


def test_every_program_is_found_with_the_supervisor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it takes to run the others belongs to the bill."""
    found = supervised(tmp_path, monkeypatch)
    assert found.pids == {"order": 10, "control-plane-0": 20, "supervisor": 1}


def test_services_and_control_planes_are_our_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The supervisor is Python, too, but not ours."""
    assert supervised(tmp_path, monkeypatch).python == ["order", "control-plane-0"]


def test_a_program_that_does_not_run_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a stack is not worth measuring."""
    with pytest.raises(BenchError, match="control-plane-0 does not run"):
        supervised(tmp_path, monkeypatch, "BACKOFF")


def test_no_secret_shows_when_a_stack_is_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A traceback may print it."""
    assert "secret words" not in repr(supervised(tmp_path, monkeypatch))


@pytest.mark.parametrize("seconds", ["0", "-1", "inf", "nan", "soon"])
def test_a_time_that_is_none_is_refused(seconds: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Before anything is started."""
    with pytest.raises(SystemExit):
        command_line.main(["--seconds", seconds])
    assert "--seconds" in capsys.readouterr().err
