"""A running Consul, a control plane replica that follows it, and one service that is always there."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.integration.mesh.control_plane.backend import Backend, instance
from tests.integration.mesh.control_plane.consul import Consul
from tests.integration.mesh.control_plane.replica import ControlPlane


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def consul(consul_binary: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Consul]:
    """Run one Consul for the tests of this folder."""
    server = Consul(consul_binary, tmp_path_factory.mktemp("consul"))
    await server.start()
    yield server
    await server.stop()


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def anchor(consul: Consul) -> AsyncIterator[Backend]:
    """Keep one instance of another service registered: the last one of all would never be taken away."""
    async with instance(consul, "product-1", "product") as server:
        yield server


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def replica(
    consul: Consul, anchor: Backend, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[ControlPlane]:
    """Run one replica for the tests of this folder; `anchor` is registered before it asks."""
    assert anchor.port
    folder = tmp_path_factory.mktemp("control-plane")
    server = ControlPlane(folder, consul, await consul.reading_token())
    await server.start()
    yield server
    await server.stop()
