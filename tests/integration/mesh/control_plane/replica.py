"""A replica of the control plane, as the process that it really is."""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp

from tests.integration.mesh.control_plane.consul import Consul
from tests.integration.mesh.control_plane.processes import HOST, Process, eventually, free_ports, listens

TYPES = ("Cluster", "ClusterLoadAssignment", "Listener", "RouteConfiguration")


class ControlPlane:
    """One replica of the real process."""

    def __init__(self, folder: Path, consul: Consul, token: str, name: str = "control-plane-0") -> None:
        """Prepare one that is not started."""
        self.consul = consul
        self.port, self.metrics_port = free_ports(2)
        self.address = f"{HOST}:{self.port}"
        self.log = folder / f"{name}.log"
        self.token = token
        self._folder = folder
        self._process: Process | None = None
        self._environment = {
            **consul.environment("control-plane", folder / name, token),
            "ORDERMESH_EDGE_IDENTITY": str(consul.folder / "identity-edge"),
            "ORDERMESH_HOST": HOST,
            "ORDERMESH_PORT": str(self.port),
            "ORDERMESH_METRICS_PORT": str(self.metrics_port),
        }

    def known_as(self, replicas: str) -> "ControlPlane":
        """Tell it the addresses of all replicas, as clients have them."""
        self._environment["ORDERMESH_CONTROL_PLANE"] = replicas
        return self

    def twin(self, name: str) -> "ControlPlane":
        """Prepare another replica for the same Consul."""
        return ControlPlane(self._folder, self.consul, self.token, name)

    async def start(self, *, wait: bool = True) -> None:
        """Start it, and wait until it serves unless told otherwise."""
        command = (sys.executable, "-m", "mesh.control_plane")
        self._process = await Process.start(self.log, *command, **self._environment)
        if wait:
            await eventually(lambda: self.listens() or not self.runs)
            assert self.runs, f"the control plane ended: {self.log.read_text()[-2000:]}"

    @property
    def runs(self) -> bool:
        """Whether the process is there."""
        return self._process is not None and self._process.running

    def listens(self) -> bool:
        """Whether it accepts connections."""
        return listens(self.port)

    def exports(self) -> bool:
        """Whether its metrics can be read."""
        return listens(self.metrics_port)

    async def stop(self, *, kill: bool = False) -> int:
        """End it; answer its exit code."""
        return await self._process.stop(kill=kill) if self._process else 0

    async def metric(self, line: str) -> float:
        """Read a metric by the name and labels that its line begins with; 0 when it is not there."""
        url = f"http://{HOST}:{self.metrics_port}/metrics"
        async with aiohttp.ClientSession() as http, http.get(url) as reply:
            found = [each for each in (await reply.text()).splitlines() if each.startswith(line + " ")]
            return float(found[0].rsplit(" ", 1)[1]) if found else 0.0

    async def reaches(self, line: str, value: float) -> None:
        """Wait until a metric has a value."""
        async with asyncio.timeout(20):
            while await self.metric(line) != value:  # noqa: ASYNC110 - it happens in another process
                await asyncio.sleep(0.02)

    async def refusals(self) -> float:
        """Count the NACKs of all types."""
        name = "ordermesh_control_plane_requests_total"
        return sum([await self.metric(f'{name}{{meaning="refused",type="{each}"}}') for each in TYPES])

    @property
    def pid(self) -> int:
        """The process id."""
        assert self._process
        return self._process.pid

    @property
    def memory_megabytes(self) -> float:
        """The resident memory of the process."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


@contextlib.asynccontextmanager
async def serving(replica: ControlPlane) -> AsyncIterator[ControlPlane]:
    """Run a replica."""
    await replica.start()
    try:
        yield replica
    finally:
        await replica.stop()
