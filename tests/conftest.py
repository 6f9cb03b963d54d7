"""What tests of every kind may ask for. Nothing starts before a test asks."""

from collections.abc import Generator, Iterator

import hypothesis
import pytest

from deploy.native.runtime import Runtime
from tests import stack as stacks

AILMENTS = pytest.StashKey[list[str]]()

# The same examples each time, and none that fails because the machine paused. `--hypothesis-profile=default` makes up
# others.
hypothesis.settings.load_profile("ci")


@pytest.fixture(scope="session")
def stack(request: pytest.FixtureRequest) -> Iterator[Runtime]:
    """The whole system, running; where tests fail, it is looked at before it stops."""
    with stacks.running() as runtime:
        yield runtime
        if request.session.testsfailed:
            request.config.stash[AILMENTS] = stacks.ailments(runtime)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> Generator[None, None, None]:
    """Say last what the stack ailed from, since its logs may be gone with the checkout."""
    yield
    found = config.stash.get(AILMENTS, None)
    if found is not None:
        terminalreporter.section("the stack, before it was stopped")
        terminalreporter.write_line("\n".join(found) or "nothing was wrong with it")
