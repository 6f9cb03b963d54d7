"""The life of a process: it registers, says how it is, and leaves without anybody losing an answer."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import grpc
import pytest
import pytest_asyncio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from deploy.native import certificates
from deploy.native.provision.consul import rules_of
from deploy.native.provision.intentions import DEFAULTS, FOR_USERS, GRPC
from mesh import status
from mesh.headers import CLAIMS
from mesh.identity import Identity
from ordermesh.inventory.v1 import inventory_pb2
from ordermesh.inventory.v1 import inventory_service_pb2 as pb
from ordermesh.inventory.v1 import inventory_service_pb2_grpc as inventory_grpc
from tests.integration.mesh import example
from tests.integration.mesh.control_plane.consul import TOKEN, Consul
from tests.integration.mesh.control_plane.members import client_credentials, member
from tests.integration.mesh.control_plane.processes import HOST, Process, eventually, free_ports, listens
from tests.integration.mesh.warehouse import SERVICE, claims_of

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
pytestmark = pytest.mark.asyncio(loop_scope="module")
INTENTIONS: dict[str, Any] = {
    "Kind": "service-intentions",
    "Name": "inventory",
    "Sources": [{"Name": "order", "Action": "allow"}],
}


@dataclass(frozen=True)
class Mesh:
    """A Consul whose intentions let `order` call the example and `payment` not."""

    consul: Consul
    order: Identity
    payment: Identity


class Service:
    """The example as a running process."""

    def __init__(self, process: Process, folder: Path, port: int, metrics_port: int, caller: Identity) -> None:
        """Connect to it as `caller`."""
        self.process = process
        self.folder = folder
        self.port = port
        self.metrics_port = metrics_port
        self.address = f"{HOST}:{port}"
        self.channel = grpc.aio.secure_channel(self.address, client_credentials(caller))

    async def stock(self, sku: str) -> inventory_pb2.Stock:
        """Ask it."""
        stub = inventory_grpc.InventoryServiceStub(self.channel)
        return await stub.GetStock(pb.GetStockRequest(sku=sku))

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


async def launched(consul: Consul, folder: Path, port: int, metrics_port: int, **changes: str) -> Process:
    """Start the example."""
    environment = {
        **consul.environment("inventory", folder),
        "ORDERMESH_PORT": str(port),
        "ORDERMESH_METRICS_PORT": str(metrics_port),
    } | changes
    return await Process.start(folder / "log", sys.executable, "-m", example.__name__, str(folder), **environment)


@asynccontextmanager
async def running(mesh: Mesh, folder: Path, *, healthy: bool = True, **changes: str) -> AsyncIterator[Service]:
    """Run the example until the end of a test."""
    prepare(folder, healthy=healthy)
    port, metrics_port = free_ports(2)
    process = await launched(mesh.consul, folder, port, metrics_port, **changes)
    service = Service(process, folder, port, metrics_port, mesh.order)
    try:
        await eventually(lambda: listens(port) or not process.running, 30)
        yield service
    finally:
        await service.channel.close()
        await process.stop(kill=True)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def mesh(consul_binary: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Mesh]:
    """Run one for the tests of this module."""
    consul = Consul(consul_binary, tmp_path_factory.mktemp("consul"))
    await consul.start()
    await consul.ask("PUT", "/v1/config", INTENTIONS)
    try:
        async with (
            member(consul, "order", consul.folder) as order,
            member(consul, "payment", consul.folder) as payment,
        ):
            yield Mesh(consul, order, payment)
    finally:
        await consul.stop()


async def test_a_process_joins_serves_and_leaves(mesh: Mesh, tmp_path: Path) -> None:
    """A call that is under way when it is told to stop is answered; by then nobody new is sent there."""
    async with running(mesh, tmp_path) as service:
        (instance,) = await registered(mesh.consul, 1)
        assert instance["Service"]["Port"] == service.port
        assert instance["Service"]["Meta"]["metrics_port"] == str(service.metrics_port)
        under_way = asyncio.create_task(service.stock("slow-1.5"))
        await eventually((tmp_path / "asked").exists)
        ended = asyncio.create_task(service.process.stop())
        await registered(mesh.consul, 0)
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


async def test_it_says_how_it_is(mesh: Mesh, tmp_path: Path) -> None:
    """Health follows what it stands on; who it is shows in its metrics and logs, its secrets do not."""
    async with running(mesh, tmp_path) as service:
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
        await eventually(lambda: {"a worker failed", "not healthy", "call served"} <= set(events(service)))
        log = service.process.log.read_text()
        assert not [secret for secret in (TOKEN, "PRIVATE KEY") if secret in log]
        assert await service.process.stop() == 0


async def test_it_never_says_that_it_serves_before_it_looked(mesh: Mesh, tmp_path: Path) -> None:
    """A process that can't do its work is sent none, from its first moment on."""
    async with running(mesh, tmp_path, healthy=False) as service:
        assert await service.health() == NOT_SERVING


async def test_two_processes_never_share_a_port(mesh: Mesh, tmp_path: Path) -> None:
    """The second one ends with an error instead of taking half of the calls."""
    async with running(mesh, tmp_path / "first") as first:
        async with running(mesh, tmp_path / "second", ORDERMESH_PORT=str(first.port)) as second:
            await eventually(lambda: not second.process.running)
            assert await second.process.stop() != 0
        assert (await first.stock("A")).sku == "A"


async def test_a_call_that_never_ends_does_not_keep_the_process(mesh: Mesh, tmp_path: Path) -> None:
    """After the time to drain it is cut off, and its caller may repeat it elsewhere."""
    async with running(mesh, tmp_path, ORDERMESH_DRAIN_SECONDS="0.3") as service:
        await service.becomes(SERVING)
        under_way = asyncio.create_task(service.stock("slow-1.9"))
        await eventually((tmp_path / "asked").exists)
        assert await service.process.stop() == 0
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await under_way
        assert failure.value.code() in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}


async def test_whoever_watches_is_sent_to_another_instance_when_this_one_stops(mesh: Mesh, tmp_path: Path) -> None:
    """At once, with the code that says so, and the process doesn't wait for them."""
    async with running(mesh, tmp_path) as service:
        await service.becomes(SERVING)
        stub = inventory_grpc.InventoryServiceStub(service.channel)
        watch = stub.WatchStock(pb.WatchStockRequest(skus=["A"]))
        await watch.read()
        assert await service.process.stop() == 0
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await watch.read()
        assert failure.value.code() is grpc.StatusCode.UNAVAILABLE
        assert status.error_from(failure.value).reason == "DRAINING"


async def refusal(channel: grpc.aio.Channel, **headers: str) -> tuple[grpc.StatusCode, str]:
    """Ask for stock where that must fail; gives the code and the reason, if a service gave one."""
    async with channel:
        try:
            await inventory_grpc.InventoryServiceStub(channel).GetStock(
                pb.GetStockRequest(sku="A"), timeout=5, metadata=tuple(headers.items())
            )
        except grpc.aio.AioRpcError as failure:
            return failure.code(), status.error_from(failure).reason
    raise AssertionError("nobody refused")


async def test_without_a_certificate_of_the_mesh_nobody_gets_through(mesh: Mesh, tmp_path: Path) -> None:
    """No TLS, no certificate, another authority's: the handshake ends it, nothing is served, and gRPC logs why."""
    made = certificates.ensure(tmp_path / "other", "dc1")
    ours, other = mesh.order.files.authorities.read_bytes(), made.consul
    foreign = grpc.ssl_channel_credentials(ours, other.key.read_bytes(), other.certificate.read_bytes())
    async with running(mesh, tmp_path) as service:
        await service.becomes(SERVING)
        for channel in (
            grpc.aio.insecure_channel(service.address),
            grpc.aio.secure_channel(service.address, grpc.ssl_channel_credentials(ours)),
            grpc.aio.secure_channel(service.address, foreign),
        ):
            assert (await refusal(channel))[0] is grpc.StatusCode.UNAVAILABLE
        assert (await service.stock("A")).sku == "A"
        log = service.process.log.read_text()
        for why in ("WRONG_VERSION_NUMBER", "PEER_DID_NOT_RETURN_A_CERTIFICATE", "CERTIFICATE_VERIFY_FAILED"):
            assert f"OPENSSL_internal:{why}" in log


async def test_a_member_that_no_intention_lets_in_is_refused_until_one_does(mesh: Mesh, tmp_path: Path) -> None:
    """What is changed in Consul holds within two seconds, without a restart."""
    async with running(mesh, tmp_path) as service:
        await service.becomes(SERVING)

        def as_payment() -> grpc.aio.Channel:
            return grpc.aio.secure_channel(service.address, client_credentials(mesh.payment))

        assert await refusal(as_payment()) == (grpc.StatusCode.PERMISSION_DENIED, "PEER_NOT_ALLOWED")
        for action, code in (("allow", "OK"), ("deny", "PERMISSION_DENIED")):
            sources = [*INTENTIONS["Sources"], {"Name": "payment", "Action": action}]
            await mesh.consul.ask("PUT", "/v1/config", INTENTIONS | {"Sources": sources})
            async with asyncio.timeout(2), as_payment() as channel:
                while (await outcome(channel)) != code:  # noqa: ASYNC110 - it happens in Consul
                    await asyncio.sleep(0.02)


async def test_claims_are_believed_only_from_who_may_act_for_users(mesh: Mesh, tmp_path: Path) -> None:
    """They are refused, not dropped, and that is in the log; Consul says who may, and is heard within two seconds."""
    claims = {CLAIMS: claims_of("u1")}
    entry = INTENTIONS | {"Sources": [{"Name": "order", **FOR_USERS}]}
    async with running(mesh, tmp_path) as service:
        await service.becomes(SERVING)
        channel = grpc.aio.secure_channel(service.address, client_credentials(mesh.order))
        denied = (grpc.StatusCode.PERMISSION_DENIED, "ACTING_FOR_USER_DENIED")
        assert await refusal(channel, **claims) == denied
        (line,) = [each for each in service.log if each["event"] == "a peer was refused"]
        assert (line["level"], line["reason"]) == ("warning", "ACTING_FOR_USER_DENIED")
        assert str(line["peer"]).endswith("/svc/order")
        assert (await service.stock("A")).sku == "A"
        await mesh.consul.ask("PUT", "/v1/config", {"Kind": DEFAULTS, "Name": "inventory", "Protocol": GRPC})
        for intentions, code in ((entry, "OK"), (INTENTIONS, "PERMISSION_DENIED")):
            await mesh.consul.ask("PUT", "/v1/config", intentions)
            async with asyncio.timeout(2):
                while (await outcome(service.channel, **claims)) != code:  # noqa: ASYNC110 - it happens in Consul
                    await asyncio.sleep(0.02)


async def outcome(channel: grpc.aio.Channel, **headers: str) -> str:
    """Ask for stock, and give the code."""
    stub = inventory_grpc.InventoryServiceStub(channel)
    try:
        await stub.GetStock(pb.GetStockRequest(sku="A"), timeout=5, metadata=tuple(headers.items()))
    except grpc.aio.AioRpcError as failure:
        return failure.code().name
    return "OK"


async def test_members_may_ask_how_it_is_without_an_intention(mesh: Mesh, tmp_path: Path) -> None:
    """Health tells nothing that Consul doesn't."""
    async with (
        running(mesh, tmp_path) as service,
        grpc.aio.secure_channel(service.address, client_credentials(mesh.payment)) as channel,
    ):
        await service.becomes(SERVING)
        stub: Any = health_pb2_grpc.HealthStub(channel)
        assert (await stub.Check(health_pb2.HealthCheckRequest())).status == SERVING


SETTINGS = "ordermesh/settings/inventory"


async def test_what_operators_write_into_consul_holds_without_a_restart(mesh: Mesh, tmp_path: Path) -> None:
    """The log level and a flag, there and back; a document that breaks a rule changes nothing."""
    async with running(mesh, tmp_path) as service:
        await service.becomes(SERVING)
        await settings(mesh, service, {"logLevel": "DEBUG", "flags": {"warehouse": "north"}}, warehouse="north")
        await eventually(lambda: "looked" in events(service))
        await mesh.consul.write(SETTINGS, {"flags": {"warehouse": 7}, "logLevel": "ERROR"})
        await eventually(lambda: "settings rejected, the last good ones hold" in events(service))
        assert (await service.stock("A")).levels[0].warehouse_code == "north"
        await mesh.consul.erase(SETTINGS)
        await settings(mesh, service, None, warehouse="main")
        await service.stock("A")
        assert await service.process.stop() == 0
        first, second = (place for place, event in enumerate(events(service)) if event == "settings changed")
        assert "looked" in events(service)[first:second]
        assert "looked" not in events(service)[second:]


async def settings(mesh: Mesh, service: Service, document: object, warehouse: str) -> None:
    """Write them, if any, and wait until the service acts on them."""
    if document is not None:
        await mesh.consul.write(SETTINGS, document)
    async with asyncio.timeout(10):
        while (await service.stock("A")).levels[0].warehouse_code != warehouse:  # noqa: ASYNC110 - it happens in Consul
            await asyncio.sleep(0.02)


def events(service: Service) -> list[object]:
    """List what the service logged."""
    return [line["event"] for line in service.log]


async def test_a_service_reads_its_own_settings_and_no_others(mesh: Mesh) -> None:
    """By the rules that its token is given."""
    rules = json.dumps(rules_of("inventory"))
    await mesh.consul.ask("PUT", "/v1/acl/policy", {"Name": "inventory", "Rules": rules})
    token = (await mesh.consul.ask("PUT", "/v1/acl/token", {"Policies": [{"Name": "inventory"}]}))["SecretID"]
    async with aiohttp.ClientSession(mesh.consul.url, headers={"X-Consul-Token": token}) as http:
        keys = ("settings/inventory", "settings/order", "policy/inventory")
        replies = [await http.get(f"/v1/kv/ordermesh/{key}") for key in keys]
        written = await http.put(f"/v1/kv/{SETTINGS}", data="{}")
    assert [reply.status for reply in (*replies, written)] == [404, 403, 403, 403]
