"""Clients that find services through `xds:///`, each in a process of its own."""

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from mesh.xds import write_bootstrap
from tests.integration.mesh.control_plane.members import member
from tests.integration.mesh.control_plane.processes import eventually, python_environment
from tests.integration.mesh.control_plane.replica import ControlPlane

HERE = Path(__file__).parent
READ_ORDER = "/ordermesh.order.v1.OrderService/GetOrder"
"""SAFE by its contract."""

CREATE_ORDER = "/ordermesh.order.v1.OrderService/CreateOrder"
"""ONCE by its contract."""


class Caller:
    """A client under load; `seen` maps each outcome to when it first was, its details, and the call's duration."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        """Follow what the process prints."""
        self._process = process
        self.seen: dict[str, dict[str, Any]] = {}
        self.counts: dict[str, int] = {}
        self.last: dict[str, float] = {}
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self._process.stdout
        async for line in self._process.stdout:
            told = json.loads(line)
            if "seen" in told:
                self.seen[told["seen"]] = told
            else:
                self.counts, self.last = told["counts"], told["last"]

    async def sees(self, outcome: str, seconds: float = 20) -> float:
        """Wait until an outcome has been seen, and return when that was."""
        await eventually(lambda: outcome in self.seen, seconds)
        return float(self.seen[outcome]["at"])

    async def finish(self) -> dict[str, int]:
        """Stop calling, and return how often each outcome was seen."""
        assert self._process.stdin
        self._process.stdin.close()
        await self._reading
        await self._process.wait()
        return self.counts


@contextlib.asynccontextmanager
async def calling(
    folder: Path,
    replicas: list[ControlPlane],
    service: str = "order",
    path: str = READ_ORDER,
    at_a_time: int = 8,
    **more: str,
) -> AsyncIterator[Caller]:
    """Keep calling a service through `xds:///` from a process of its own.

    `request_id` goes with each call; whatever else there is more of are settings of the caller.
    """
    request_id = more.pop("request_id", "")
    consul = replicas[0].consul
    async with member(consul, "caller", folder) as identity:
        addresses = ",".join(each.address for each in replicas)
        settings = consul.settings("caller", folder, control_plane=addresses, **more)
        bootstrap = write_bootstrap(settings, identity.files)
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            HERE / "caller.py",
            f"xds:///{service}",
            path,
            str(at_a_time),
            request_id,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env=python_environment(GRPC_XDS_BOOTSTRAP=str(bootstrap)),
        )
        caller = Caller(child)
        try:
            yield caller
        finally:
            await caller.finish()
