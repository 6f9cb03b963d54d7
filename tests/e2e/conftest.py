"""A shop that is open, and somebody to buy there."""

import contextlib
import json
from collections.abc import Iterator

import pytest

from deploy.native.runtime import Runtime
from tests.e2e.shop import Client, Shop


def opened(stack: Runtime) -> Shop:
    """Open the running system, found the way a user finds it: by credentials.json."""
    found = json.loads((stack.root / "credentials.json").read_text())
    return Shop(found["edge_http"], found["admin_email"], found["admin_password"], stack.root / "mail")


@pytest.fixture(scope="session")
def shop(stack: Runtime) -> Iterator[Shop]:
    """The running system."""
    with contextlib.closing(opened(stack)) as found:
        yield found


@pytest.fixture
def customer(shop: Shop) -> Client:
    """Somebody who never bought here before."""
    return shop.customer()
