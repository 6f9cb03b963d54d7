"""The life of a process: it registers, says how it is, and leaves without anybody losing an answer."""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import grpc
import pytest
import pytest_asyncio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from mesh import headers
from ordermesh.inventory.v1 import inventory_pb2
from ordermesh.inventory.v1 import inventory_service_pb2 as pb
from ordermesh.inventory.v1 import inventory_service_pb2_grpc as inventory_grpc
from tests.integration.mesh import example
from tests.integration.mesh.control_plane.consul import TOKEN, Consul
from tests.integration.mesh.control_plane.processes import HOST, Process, eventually, free_ports, listens
from tests.integration.mesh.warehouse import EDGE, PEER_TOKEN, SERVICE

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
NO_CONSUL = f"http://{HOST}:1"


class Service:
    """The example as a running process."""

    def __init__(self, process: Process, folder: Path, port: int, metrics_port: int) -> None:
        """Connect to it."""
        self.process = process
        self.folder = folder
        self.port = port
        self.metrics_port = metrics_port
        self.channel = grpc.aio.insecure_channel(f"{HOST}:{port}")

    async def stock(self, sku: str) -> inventory_pb2.Stock:
        """Ask it."""
        stub = inventory_grpc.InventoryServiceStub(self.channel)
        return await stub.GetStock(pb.GetStockRequest(sku=sku), metadata=tuple(EDGE.items()))

    async def health(self, service: str = "") -> int:
        """Ask how it is, as Consul does."""
        stub: Any = health_pb2_grpc.HealthStub(self.channel)
        reply: health_pb2.HealthCheckResponse = await stub.Check(health_pb2.HealthCheckRequest(service=service))
        return reply.status

    async def becomes(self, verdict: int) -> None:
        """Wait until it says so of itself."""
        async with asyncio.timeout(15):
            while await self.health() != verdict:  # noqa: ASYNC110 - it happens in another process
                await asyncio.sleep(0.05)

    @property
    def log(self) -> list[dict[str, object]]:
        """Read what it logged."""
        return [json.loads(line) for line in self.process.log.read_text().splitlines()]


def prepare(folder: Path, *, healthy: bool) -> None:
    """Make the folder that the example is told about."""
    folder.mkdir(exist_ok=True)
    if healthy:
        (folder / "healthy").touch()


@asynccontextmanager
async def running(
    folder: Path, consul: str = NO_CONSUL, *, healthy: bool = True, **changes: str
) -> AsyncIterator[Service]:
    """Run the example until the end of a test."""
    prepare(folder, healthy=healthy)
    port, metrics_port = free_ports(2)
    environment = {
        "ORDERMESH_PORT": str(port),
        "ORDERMESH_METRICS_PORT": str(metrics_port),
        "ORDERMESH_PEER_TOKEN": PEER_TOKEN,
        "ORDERMESH_CONSUL_HTTP": consul,
        "ORDERMESH_CONSUL_TOKEN": TOKEN,
        "ORDERMESH_ENV_FILE": "",
    } | changes
    command = (sys.executable, "-m", example.__name__, str(folder))
    process = await Process.start(folder / "log", *command, **environment)
    service = Service(process, folder, port, metrics_port)
    try:
        await eventually(lambda: listens(port) or not process.running, 30)
        yield service
    finally:
        await service.channel.close()
        await process.stop(kill=True)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def consul(consul_binary: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Consul]:
    """Run a Consul for the tests of this module."""
    server = Consul(consul_binary, tmp_path_factory.mktemp("consul"))
    await server.start()
    yield server
    await server.stop()


@pytest.mark.asyncio(loop_scope="module")
async def test_a_process_joins_serves_and_leaves(consul: Consul, tmp_path: Path) -> None:
    """A call that is under way when it is told to stop is answered; by then nobody new is sent there."""
    async with running(tmp_path, consul.url) as service:
        (instance,) = await registered(consul, 1)
        assert instance["Service"]["Port"] == service.port
        assert instance["Service"]["Meta"]["metrics_port"] == str(service.metrics_port)
        under_way = asyncio.create_task(service.stock("slow-1.5"))
        await eventually((tmp_path / "asked").exists)
        ended = asyncio.create_task(service.process.stop())
        await registered(consul, 0)
        assert not under_way.done()
        assert (await under_way).sku == "slow-1.5"
        assert await ended == 0
        assert not listens(service.port)
        assert (tmp_path / "worker").read_text() == "begun begun finished"
        story = [line["event"] for line in service.log]
        assert story.index("left Consul") < story.index("call served") < story.index("stopped")


async def registered(consul: Consul, count: int) -> list[dict[str, Any]]:
    """Wait until Consul gives that many healthy instances of the example."""
    async with asyncio.timeout(20):
        while len(found := await consul.ask("GET", "/v1/health/service/inventory?passing")) != count:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.02)
    return list(found)


async def test_it_serves_without_consul_and_says_how_it_is(tmp_path: Path) -> None:
    """Health follows what it stands on; who it is shows in its metrics and logs, its secrets do not."""
    async with running(tmp_path) as service:
        await service.becomes(SERVING)
        assert await service.health(SERVICE) == SERVING
        (tmp_path / "healthy").unlink()
        await service.becomes(NOT_SERVING)
        assert await service.health(SERVICE) == NOT_SERVING
        (tmp_path / "healthy").touch()
        await service.becomes(SERVING)
        assert (await service.stock("A")).sku == "A"
        await eventually(lambda: (tmp_path / "worker").read_text() == "begun begun ")
        async with aiohttp.ClientSession() as http, http.get(f"http://{HOST}:{service.metrics_port}/metrics") as reply:
            metrics = await reply.text()
        assert f'rpc_server_call_duration_seconds_count{{rpc_method="{SERVICE}/GetStock"' in metrics
        assert 'ordermesh_dependency_up{dependency="file"} 1.0' in metrics
        log = service.process.log.read_text()
        assert {"a worker failed", "not healthy", "call served"} <= {str(line["event"]) for line in service.log}
        assert not [secret for secret in (PEER_TOKEN, TOKEN) if secret in log]
        assert await service.process.stop() == 0


async def test_it_never_says_that_it_serves_before_it_looked(tmp_path: Path) -> None:
    """A process that can't do its work is sent none, from its first moment on."""
    async with running(tmp_path, healthy=False) as service:
        assert await service.health() == NOT_SERVING


async def test_two_processes_never_share_a_port(tmp_path: Path) -> None:
    """The second one ends with an error instead of taking half of the calls."""
    async with running(tmp_path / "first") as first:
        async with running(tmp_path / "second", ORDERMESH_PORT=str(first.port)) as second:
            await eventually(lambda: not second.process.running)
            assert await second.process.stop() != 0
        assert (await first.stock("A")).sku == "A"


async def test_a_call_that_never_ends_does_not_keep_the_process(tmp_path: Path) -> None:
    """After the time to drain it is cut off, and its caller may repeat it elsewhere."""
    async with running(tmp_path, ORDERMESH_DRAIN_SECONDS="0.3") as service:
        under_way = asyncio.create_task(service.stock("slow-1.9"))
        await eventually((tmp_path / "asked").exists)
        begun = time.monotonic()
        assert await service.process.stop() == 0
        assert time.monotonic() - begun < 1.7
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await under_way
        assert failure.value.code() in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}


async def test_tools_may_ask_what_it_serves(tmp_path: Path) -> None:
    """Health and reflection need no peer token; nothing else is without."""
    async with running(tmp_path) as service:
        assert await service.health() == SERVING
        stub = inventory_grpc.InventoryServiceStub(service.channel)
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await stub.GetStock(pb.GetStockRequest(sku="A"), metadata=((headers.PEER, "edge"),))
        assert failure.value.code() is grpc.StatusCode.UNAUTHENTICATED
