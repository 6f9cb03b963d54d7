"""Makes the Python environment of requirements.lock in the cache and links it as `.venv` in the checkout.

Runs on a bare python3 before anything is installed, so it uses the standard library only. Checkouts with the
same lock and the same Python share one environment, which therefore names no checkout.
"""

import contextlib
import fcntl
import hashlib
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
LOCK_FILE = CHECKOUT / "requirements.lock"
COMPLETE = ".complete"
OLDEST_PYTHON = (3, 11)


def cache_directory() -> Path:
    """Where things that checkouts share are kept; the same rule as in the Makefile and deploy.native."""
    if chosen := os.environ.get("ORDERMESH_CACHE"):
        return Path(chosen)
    if os.geteuid() == 0:
        return Path("/var/cache/ordermesh")
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ordermesh"


def environment_directory(cache: Path) -> Path:
    """Name the environment after what decides its content: the lock file and the interpreter."""
    digest = hashlib.sha256(LOCK_FILE.read_bytes()).hexdigest()[:12]
    return cache / "venv" / f"{platform.python_implementation().lower()}-{platform.python_version()}-{digest}"


def require_suitable_python() -> None:
    """Stop with the command that mends it when this Python cannot make the environment."""
    if sys.version_info < OLDEST_PYTHON:
        sys.exit(f"Python {platform.python_version()} is too old: 3.11 or newer is needed (PYTHON3=python3.12)")
    if importlib.util.find_spec("ensurepip") is None:
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        sys.exit(
            f"{sys.executable} has no ensurepip, so no virtual environment can be made."
            f" On Debian or Ubuntu install it with: apt-get install python{version}-venv"
        )


@contextlib.contextmanager
def exclusive(lock: Path) -> Iterator[None]:
    """Let one process at a time build; the others wait and then find the result."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def is_usable(environment: Path) -> bool:
    """Tell whether the environment was finished and its interpreter still starts."""
    if not (environment / COMPLETE).exists():
        return False
    return subprocess.run([environment / "bin" / "python", "-c", ""], check=False).returncode == 0


def build(environment: Path) -> None:
    """Install the locked packages. The marker comes last, so that a build cut short is done again."""
    print(f"making {environment} from {LOCK_FILE.name} (about a minute) …", flush=True)
    shutil.rmtree(environment, ignore_errors=True)
    venv.create(environment, with_pip=True)
    pip = [str(environment / "bin" / "python"), "-m", "pip", "--quiet", "--disable-pip-version-check"]
    wanted = ["--require-hashes", "--no-deps", "--only-binary=:all:", "-r", str(LOCK_FILE)]
    finished = subprocess.run([*pip, "install", *wanted], check=False)
    if finished.returncode:
        sys.exit(f"pip could not install {LOCK_FILE.name}; its message is above")
    (environment / COMPLETE).touch()


def link(environment: Path, name: Path) -> None:
    """Point `.venv` to the environment in one step, leaving a folder that somebody made by hand alone."""
    if name.is_dir() and not name.is_symlink():
        sys.exit(f"{name} is a folder of its own; remove it, then run make venv again")
    fresh = name.with_name(f"{name.name}.{os.getpid()}")
    fresh.symlink_to(environment)
    fresh.replace(name)


def main() -> None:
    """Find or build the environment, then link it."""
    require_suitable_python()
    environment = environment_directory(cache_directory())
    with exclusive(environment.with_name(environment.name + ".lock")):
        if not is_usable(environment):
            build(environment)
    link(environment, CHECKOUT / ".venv")


if __name__ == "__main__":
    main()
