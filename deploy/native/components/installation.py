"""Installs what is missing, several components at a time, and says what takes how long."""

import os
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path

from deploy.native.components import folder
from deploy.native.components.catalogue import Component, catalogue
from deploy.native.components.prerequisites import require
from deploy.native.errors import ConfigurationError, InstallError
from deploy.native.versions import Pin

Report = Callable[[str], None]
# One builds on the processors while the others wait for the network.
WORKERS = 3
REMINDER_SECONDS = 30


def install(
    names: Iterable[str] = (),
    *,
    cache: Path,
    versions: Mapping[str, Pin],
    report: Report = print,
    path: str | None = None,
) -> None:
    """Install the named components, or all, unless they are in the cache or on `path` (PATH when not given).

    Raises MissingPrerequisites before anything is downloaded, and InstallError after the others are finished.
    """
    path = os.environ.get("PATH", os.defpath) if path is None else path
    wanted = choose(names, catalogue(versions))
    absent = [component for component in wanted if is_absent(component, cache, path, report)]
    running = [each for component in wanted for each in component.runs_with]
    require([*running, *(each for component in absent for each in component.builds_with)], path)
    if absent:
        make_cache(cache)
        make_all(absent, cache, report)


def choose(names: Iterable[str], known: Mapping[str, Component]) -> list[Component]:
    """Look the names up, in the order in which they are best begun."""
    asked = set(names)
    if unknown := asked - known.keys():
        raise ConfigurationError(
            f"cannot install {', '.join(sorted(unknown))}; there are: {', '.join(known)}",
        )
    return [component for name, component in known.items() if name in asked or not asked]


def is_absent(component: Component, cache: Path, path: str, report: Report) -> bool:
    """Tell whether it has to be made, and say so when the machine has one of its own."""
    if stand_in := component.stand_in(path):
        report(f"{component}: using {stand_in}")
        return False
    return not component.folder(cache).is_dir()


def make_cache(cache: Path) -> None:
    """Make the cache; under root, PostgreSQL runs as `nobody`, who has to get in whatever the umask."""
    cache.mkdir(parents=True, exist_ok=True)
    if os.geteuid() == 0:
        cache.chmod(cache.stat().st_mode | 0o755)


def make_all(components: Iterable[Component], cache: Path, report: Report) -> None:
    """Make them side by side; what failed is raised at the end, so that the others are there next time."""
    with ThreadPoolExecutor(WORKERS) as pool:
        started = {pool.submit(make, component, cache, report): component for component in components}
        remind(started, report)
    failures = {component: failure for future, component in started.items() if (failure := future.exception())}
    if failures:
        told = "\n\n".join(f"{component}: {failure}" for component, failure in failures.items())
        raise InstallError(told) from next(iter(failures.values()))


def make(component: Component, cache: Path, report: Report) -> None:
    """Make one component and report it."""
    began = time.monotonic()
    report(f"{component}: {component.activity} …")
    try:
        folder.make(component.folder(cache), component.fill)
    except BaseException as failure:
        report(f"{component}: failed, the others go on: {failure}")
        raise
    report(f"{component}: done in {time.monotonic() - began:.0f} s")


def remind(started: Mapping[Future[None], Component], report: Report) -> None:
    """Show now and then that a long build is still alive."""
    began = time.monotonic()
    pending = set(started)
    while pending:
        done, pending = wait(pending, timeout=REMINDER_SECONDS)
        if not done:
            busy = ", ".join(str(started[future]) for future in pending if future.running())
            report(f"still busy after {time.monotonic() - began:.0f} s: {busy}")
