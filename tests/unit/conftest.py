"""What holds for every unit test: no sockets. Whoever needs a server belongs to tests/integration."""

from collections.abc import Iterator

import pytest
from pytest_socket import disable_socket, enable_socket


@pytest.fixture(autouse=True)
def no_sockets() -> Iterator[None]:
    """Make any Internet socket an error. Unix sockets stay: an event loop wakes itself through a pair."""
    disable_socket(allow_unix_socket=True)
    yield
    enable_socket()
