"""The version that a process shows in Consul."""

import subprocess
from pathlib import Path

import pytest

from deploy.native.release import version


def git(folder: Path, *arguments: str) -> str:
    """Run git as somebody."""
    somebody = ("-c", "user.name=n", "-c", "user.email=n@example.test")
    done = subprocess.run(["git", "-C", folder, *somebody, *arguments], capture_output=True, text=True, check=True)  # noqa: S603, S607
    return done.stdout.strip()


def change(folder: Path, path: str) -> str:
    """Commit a change of a file; gives the commit."""
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    with (folder / path).open("a") as file:
        file.write("#\n")
    git(folder, "add", path)
    git(folder, "commit", "-qm", path)
    return git(folder, "log", "-1", "--format=%h")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A project that is not under git."""
    (tmp_path / "pyproject.toml").write_text('[project]\nversion = "1.2"\n')
    return tmp_path


def test_it_names_the_last_commit_that_touched_the_process_s_own_code(checkout: Path) -> None:
    """A change of another service is none of this one."""
    git(checkout, "init", "-q")
    change(checkout, "mesh/gate.py")
    order = change(checkout, "services/order/store.py")
    change(checkout, "services/payment/store.py")
    assert version(checkout, "order") == f"1.2+{order}"
    shared = change(checkout, "proto/a.proto")
    assert version(checkout, "order") == version(checkout, "control-plane") == f"1.2+{shared}"


def test_what_is_not_committed_shows(checkout: Path) -> None:
    """Nobody takes it for the commit."""
    git(checkout, "init", "-q")
    change(checkout, "mesh/gate.py")
    (checkout / "mesh" / "new.py").touch()
    assert version(checkout, "order").endswith(".dirty")


def test_without_git_it_is_the_project_s(checkout: Path) -> None:
    """As in an archive of the sources."""
    assert version(checkout, "order") == "1.2"
