"""What a process tells of itself, to whom, and what Consul shows of it; by the operator's own means."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
import pytest_asyncio

from deploy.native.provision.intentions import FOR_ITSELF, LOOK
from mesh import status
from mesh.blocking_queries import agent_of
from mesh.identity import Identity
from mesh.operator.survey import Member, survey
from ordermesh.mesh.v1.introspection_service_pb2 import GetProcessRequest, Process
from ordermesh.mesh.v1.introspection_service_pb2_grpc import IntrospectionServiceStub
from tests.integration.mesh.control_plane.consul import Consul
from tests.integration.mesh.control_plane.members import client_credentials, member
from tests.integration.mesh.test_server import SERVING, Mesh, Service, running
from tests.integration.mesh.warehouse import SERVICE

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def mesh(consul_binary: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Mesh]:
    """Run a Consul whose intentions are those that `make up` writes for a service that `order` calls."""
    consul = Consul(consul_binary, tmp_path_factory.mktemp("consul"))
    await consul.start()
    await consul.ask("PUT", "/v1/config", {"Kind": "service-defaults", "Name": "inventory", "Protocol": "grpc"})
    sources = [{"Name": "order", **FOR_ITSELF}, {"Name": "operator", **LOOK}]
    entry = {"Kind": "service-intentions", "Name": "inventory", "Sources": sources}
    await consul.ask("PUT", "/v1/config", entry)
    try:
        async with (
            member(consul, "order", consul.folder) as order,
            member(consul, "payment", consul.folder) as payment,
        ):
            yield Mesh(consul, order, payment)
    finally:
        await consul.stop()


async def look(service: Service, caller: Identity) -> Process:
    """Ask a process what it believes, as somebody."""
    async with grpc.aio.secure_channel(service.address, client_credentials(caller)) as channel:
        return await IntrospectionServiceStub(channel).GetProcess(GetProcessRequest(), timeout=5)


async def refusal(service: Service, caller: Identity) -> tuple[grpc.StatusCode, str]:
    """Ask where that must be refused; gives the code and the reason."""
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await look(service, caller)
    return failure.value.code(), status.error_from(failure.value).reason


async def test_a_process_tells_an_operator_what_it_believes(mesh: Mesh, tmp_path: Path) -> None:
    """Who it is, what it needs, whom it lets in and who came, whether they were let in or not."""
    async with running(mesh, tmp_path, ORDERMESH_VERSION="7.1") as service, operator(mesh) as caller:
        await service.becomes(SERVING)
        await service.stock("A")
        await refusal(service, mesh.payment)
        told = await look(service, caller)
    assert (told.service, told.version) == ("inventory", "7.1")
    assert told.identity.spiffe_id.endswith("/svc/inventory")
    assert told.identity.begin_time.seconds < told.identity.renew_time.seconds < told.identity.end_time.seconds
    assert {each.name: each.complaint for each in told.dependencies} == {"file": "", "intentions": ""}
    assert {each.source: each.allowed for each in told.intentions} == {"order": True, "operator": False}
    came = {each.service: (each.admitted, each.refused, each.last_method) for each in told.peers}
    introspection = "/ordermesh.mesh.v1.IntrospectionService/GetProcess"
    assert came == {
        "order": (1, 0, f"/{SERVICE}/GetStock"),
        "payment": (0, 1, introspection),
        "operator": (1, 0, introspection),
    }


async def test_only_operators_may_look(mesh: Mesh, tmp_path: Path) -> None:
    """One who may call everything else may not; nor may an operator call anything else."""
    async with running(mesh, tmp_path) as service, operator(mesh) as caller:
        await service.becomes(SERVING)
        denied = grpc.StatusCode.PERMISSION_DENIED
        assert await refusal(service, mesh.order) == (denied, "OPERATORS_ONLY")
        assert await refusal(service, mesh.payment) == (denied, "PEER_NOT_ALLOWED")
        service.channel = grpc.aio.secure_channel(service.address, client_credentials(caller))
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await service.stock("A")
        assert failure.value.code() is denied


async def test_consul_shows_why_an_instance_is_sick_and_keeps_it_listed(mesh: Mesh, tmp_path: Path) -> None:
    """The reason is in the process's own report, beside the check that keeps calls away; both go with it."""
    async with running(mesh, tmp_path) as service, operator(mesh) as caller:
        await eventually_registered(mesh, service)
        (tmp_path / "healthy").unlink()
        sick = await surveyed(mesh, service, caller, "critical")
        assert any("file: FileNotFoundError" in reason for reason in sick.registered.reasons)
        assert sick.process is not None
        assert [each.complaint for each in sick.process.dependencies if each.name == "file"] != [""]
        (tmp_path / "healthy").touch()
        await surveyed(mesh, service, caller, "passing")
        assert await service.process.stop() == 0


async def surveyed(mesh: Mesh, service: Service, caller: Identity, health: str) -> Member:
    """Survey the mesh until the instance is like that in Consul, by both of its checks."""
    failing = 2 if health == "critical" else 0
    async with agent_of(mesh.consul.settings("operator", mesh.consul.folder)) as agent, asyncio.timeout(30):
        while True:
            (found,) = [each for each in await survey(agent, caller) if each.registered.address == service.address]
            if (found.registered.health, len(found.registered.reasons)) == (health, failing):
                return found
            await asyncio.sleep(0.1)


def operator(mesh: Mesh) -> Any:  # noqa: ANN401 - a context manager of an Identity
    """Be the operator."""
    return member(mesh.consul, "operator", mesh.consul.folder)


async def test_what_is_served_is_told_to_consul(mesh: Mesh, tmp_path: Path) -> None:
    """Version, zone, and the methods, of which some may be repeated."""
    async with running(mesh, tmp_path, ORDERMESH_VERSION="7.1", ORDERMESH_ZONE="zone-b") as service:
        await eventually_registered(mesh, service)
        found = await mesh.consul.ask("GET", f"/v1/health/service/inventory?filter=Service.Port=={service.port}")
    meta = found[0]["Service"]["Meta"]
    assert (meta["version"], meta["zone"]) == ("7.1", "zone-b")
    assert meta["methods-0"].startswith(f"{SERVICE}/")
    assert "GetStock*" in meta["methods-0"]
    assert "IntrospectionService" not in str(meta)


async def eventually_registered(mesh: Mesh, service: Service) -> None:
    """Wait until Consul knows the instance."""
    path = f"/v1/health/service/inventory?filter=Service.Port=={service.port}"
    async with asyncio.timeout(20):
        while not await mesh.consul.ask("GET", path):  # noqa: ASYNC110 - it happens in Consul
            await asyncio.sleep(0.05)
