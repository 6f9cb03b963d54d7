"""What tests of every kind may ask for. Nothing starts before a test asks."""

from collections.abc import Iterator

import pytest

from deploy.native.runtime import Runtime
from tests import stack as stacks


@pytest.fixture(scope="session")
def stack() -> Iterator[Runtime]:
    """The whole system, running."""
    with stacks.running() as runtime:
        yield runtime
