"""A call that fails is repeated by gRPC itself where its contract allows that, and nowhere else."""

import asyncio
import sys
from pathlib import Path

import grpc
import pytest

from tests.integration.mesh.control_plane.backend import instance
from tests.integration.mesh.control_plane.client import CREATE_ORDER, HERE, READ_ORDER, calling
from tests.integration.mesh.control_plane.consul import Consul
from tests.integration.mesh.control_plane.processes import Process, eventually, free_ports, listens
from tests.integration.mesh.control_plane.replica import ControlPlane

pytestmark = pytest.mark.asyncio(loop_scope="package")


async def test_a_killed_instance_costs_reads_nothing_and_writes_an_error(
    consul: Consul, replica: ControlPlane, tmp_path: Path
) -> None:
    """SAFE calls under way are repeated elsewhere; ONCE calls are not, because they may have had an effect."""
    port = free_ports(1)[0]
    command = (sys.executable, HERE / "server.py", str(port), "victim")
    victim = await Process.start(tmp_path / "victim.log", *command, **consul.environment("order", tmp_path))
    await eventually(lambda: listens(port))
    await consul.register("order", "victim", port, "TCP")
    await consul.passes("order", "victim")
    async with (
        instance(consul, "order-1"),
        calling(tmp_path, [replica], path=READ_ORDER) as reader,
        calling(tmp_path, [replica], path=CREATE_ORDER) as writer,
    ):
        await reader.sees("victim")
        await writer.sees("victim")
        await victim.stop(kill=True)
        await writer.sees("UNAVAILABLE")
        await asyncio.sleep(0.5)
        await consul.deregister("victim")
    assert set(reader.counts) == {"order-1", "victim"}


@pytest.mark.parametrize(("path", "times"), [(READ_ORDER, 4), (CREATE_ORDER, 1)])
async def test_a_call_is_tried_as_often_as_its_contract_allows(
    consul: Consul, replica: ControlPlane, tmp_path: Path, path: str, times: int
) -> None:
    """SAFE: three more times after the first. ONCE: never again."""
    async with instance(consul, "order-1") as only:
        only.refusal = grpc.StatusCode.UNAVAILABLE
        async with calling(tmp_path, [replica], path=path, at_a_time=1) as caller:
            await eventually(lambda: only.calls >= 8)
    assert only.calls == times * sum(caller.counts.values())
