"""A running PostgreSQL for the tests of the services."""

import os
from collections.abc import Iterator

import pytest

from deploy.native import components
from deploy.native.runtime import Runtime
from tests.integration.conftest import CHECKOUT
from tests.integration.postgres import Postgres


@pytest.fixture(scope="session")
def postgres(programs: components.Components) -> Iterator[Postgres]:
    """Run one PostgreSQL for all tests; each migrates the services it is about."""
    server = Postgres(Runtime.load(CHECKOUT, os.environ), programs)
    try:
        server.install()
        yield server
    finally:
        server.remove()
