"""Starting while something is away: a process waits for what it can't do without, and takes no harm from the rest."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from mesh.identity import joined
from tests.integration.mesh.control_plane.backend import instance
from tests.integration.mesh.control_plane.client import calling
from tests.integration.mesh.control_plane.consul import Consul
from tests.integration.mesh.control_plane.members import member
from tests.integration.mesh.control_plane.processes import Process, eventually, free_ports, listens
from tests.integration.mesh.control_plane.replica import ControlPlane, serving
from tests.integration.mesh.test_server import (
    INTENTIONS,
    NOT_SERVING,
    SERVING,
    Service,
    launched,
)

LONG = 60


@pytest.fixture
async def consul(consul_binary: Path, tmp_path: Path) -> AsyncIterator[Consul]:
    """Run a Consul that the test may end."""
    server = Consul(consul_binary, tmp_path)
    await server.start()
    await server.ask("PUT", "/v1/config", INTENTIONS)
    yield server
    await server.stop()


@asynccontextmanager
async def begun(consul: Consul, folder: Path) -> AsyncIterator[tuple[Process, int]]:
    """Start the example, without waiting for anything; gives it and its port."""
    (folder / "healthy").touch()
    port, metrics_port = free_ports(2)
    process = await launched(consul, folder, port, metrics_port)
    try:
        yield process, port
    finally:
        await process.stop(kill=True)


async def test_without_consul_a_new_process_waits_until_it_can_be_somebody(consul: Consul, tmp_path: Path) -> None:
    """It does not end, does not listen, and says what it waits for; when Consul comes it serves by itself."""
    folder = tmp_path / "example"
    folder.mkdir()
    async with member(consul, "order", tmp_path) as order:
        await consul.stop()
        async with begun(consul, folder) as (process, port):
            await eventually(lambda: "Consul's authority can't be asked" in process.log.read_text(), LONG)
            assert process.running
            assert not listens(port)
            await consul.start()
            await eventually(lambda: listens(port), LONG)
            service = Service(process, folder, port, 0, order)
            await service.becomes(SERVING)
            assert (await service.stock("A")).sku == "A"
            await service.channel.close()


async def test_with_a_kept_certificate_it_starts_without_consul_but_lets_nobody_in(
    consul: Consul, tmp_path: Path
) -> None:
    """It is somebody, and knows nothing of intentions: it says that it doesn't serve, until Consul tells them."""
    folder = tmp_path / "example"
    async with joined(consul.settings("inventory", folder)):
        pass
    async with member(consul, "order", tmp_path) as order:
        await consul.stop()
        async with begun(consul, folder) as (process, port):
            await eventually(lambda: listens(port), LONG)
            service = Service(process, folder, port, 0, order)
            assert await service.health() == NOT_SERVING
            assert "the certificate from before is used" in process.log.read_text()
            await consul.start()
            await service.becomes(SERVING)
            assert (await service.stock("A")).sku == "A"
            await service.channel.close()


async def test_without_a_control_plane_a_new_caller_fails_at_once_and_then_finds_everybody(
    consul: Consul, tmp_path: Path
) -> None:
    """Nothing hangs: calls say UNAVAILABLE, and succeed by themselves once a replica is there."""
    token = await consul.reading_token()
    replica = ControlPlane(tmp_path, consul, token)
    async with instance(consul, "order-1"), calling(tmp_path, [replica]) as caller:
        await caller.sees("UNAVAILABLE")
        async with serving(replica):
            await caller.sees("order-1", LONG)
