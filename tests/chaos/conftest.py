"""A running shop in which each service has a second instance, so that one of them may go away, and the report."""

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from deploy.native.runtime import Runtime
from tests.chaos.instances import Mesh, Second
from tests.chaos.load import Load, under_load
from tests.chaos.report import Report
from tests.e2e.conftest import shop
from tests.e2e.shop import Shop

__all__ = ["shop"]

UnderLoad = Callable[..., AbstractContextManager[Load]]


@pytest.fixture(scope="session")
def report(pytestconfig: pytest.Config) -> Iterator[Report]:
    """Collect figures; they are written, to a file and the terminal, when all tests are through."""
    found = Report()
    yield found
    found.write()
    if terminal := pytestconfig.pluginmanager.get_plugin("terminalreporter"):
        terminal.write_sep("-", "figures")
        for line in found.lines():
            terminal.write_line(line)


@pytest.fixture
def note(report: Report, request: pytest.FixtureRequest) -> Callable[..., None]:
    """Note figures of this test."""

    def noted(**figures: object) -> None:
        report.note(request.node.name, **figures)

    return noted


@pytest.fixture(scope="session")
def mesh(stack: Runtime) -> Mesh:
    """The stack as its operator sees it."""
    return Mesh(stack)


@pytest.fixture(scope="session")
def second_instances(mesh: Mesh) -> Iterator[dict[str, Second]]:
    """One for each service, all of them healthy."""
    with contextlib.ExitStack() as running:
        services = mesh.stack.topology.services
        found = {name: running.enter_context(mesh.another(name)) for name in services}
        for name in services:
            mesh.becomes(name, healthy=2)
        yield found


@pytest.fixture
def load(mesh: Mesh, shop: Shop, tmp_path: Path) -> UnderLoad:
    """Give what puts everything under load while a body runs."""

    def loaded(**changes: str) -> AbstractContextManager[Load]:
        return under_load(mesh.stack, shop, tmp_path, changes)

    return loaded
