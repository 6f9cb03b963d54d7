"""Traffic policy of the tests' own, in the Consul of the tests."""

import contextlib
from collections.abc import AsyncIterator

from tests.integration.mesh.control_plane.consul import Consul

KEY = "ordermesh/policy/order"


@contextlib.asynccontextmanager
async def policy(consul: Consul, document: object) -> AsyncIterator[None]:
    """Have a policy for calls to `order` until the end of a test."""
    await consul.write(KEY, document)
    try:
        yield
    finally:
        await consul.erase(KEY)
