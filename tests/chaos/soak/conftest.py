"""The shop that is soaked."""

import contextlib
from collections.abc import Iterator

import httpx
import pytest

from deploy.native.runtime import Runtime
from tests.e2e.conftest import opened
from tests.e2e.shop import Shop, eventually

OPENING_S = 300.0


@pytest.fixture(scope="session")
def shop(stack: Runtime) -> Iterator[Shop]:
    """The running system. A machine that is busy with more than this may be slow to let anybody in."""
    shops: list[Shop] = []

    def try_door() -> bool:
        with contextlib.suppress(httpx.TransportError, AssertionError):
            shops.append(opened(stack))
        return bool(shops)

    eventually(try_door, within_s=OPENING_S)
    with contextlib.closing(shops[0]):
        yield shops[0]
