"""`make bench-discovery`: what a control plane takes, and how soon clients know, with many endpoints and many clients.

It runs a Consul and one replica of its own, fills the catalogue with instances that nobody asks, and lets clients
watch: most are bare ADS streams, all of the largest service, and some are gRPC's own, whose calls tell when they use
what is new. A change is timed from the moment before Consul is told.
"""

import argparse
import asyncio
import contextlib
import itertools
import json
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from bench import machine
from bench.accounts import cpu_seconds
from bench.errors import BenchError
from bench.latency import Latency
from deploy.native import components
from deploy.native.runtime import Runtime
from tests.integration.mesh.control_plane.backend import Backend
from tests.integration.mesh.control_plane.client import Caller, calling
from tests.integration.mesh.control_plane.consul import Consul
from tests.integration.mesh.control_plane.members import member
from tests.integration.mesh.control_plane.processes import HOST, python_environment
from tests.integration.mesh.control_plane.replica import ControlPlane, serving

CHECKOUT = Path(__file__).resolve().parents[1]
LARGEST, OTHERS = "order", ("auth", "inventory", "product", "payment")
CALLED = "notification"
"""The service that gRPC's own clients call."""

PROCESSES = 4
FIRST_PORT = 20_000
AT_ONCE = 16


class Watching:
    """Processes full of watching clients, and when each client heard of what."""

    def __init__(self) -> None:
        """Begin with nobody."""
        self._heard: dict[tuple[str, int], list[float]] = {}
        self._news = asyncio.Condition()
        self._ready = 0

    async def start(self, replica: ControlPlane, folder: Path, count: int) -> asyncio.subprocess.Process:
        """Start a process of that many clients."""
        command = (sys.executable, "-m", "bench.watchers", replica.address, str(folder), str(count), LARGEST)
        output = asyncio.subprocess.PIPE
        return await asyncio.create_subprocess_exec(*command, stdout=output, env=python_environment())

    async def read(self, process: asyncio.subprocess.Process) -> None:
        """Note what a process tells."""
        async for line in _output(process):
            told: dict[str, Any] = json.loads(line)
            async with self._news:
                self._ready += told.get("ready", 0)
                for kind in ("port", "limit"):
                    if kind in told:
                        self._heard.setdefault((kind, told[kind]), []).append(told["at"])
                self._news.notify_all()

    async def ready(self, count: int) -> None:
        """Wait until that many know everything."""
        await self._until(lambda: self._ready == count)

    async def heard(self, kind: str, value: int, count: int) -> list[float]:
        """Wait until that many have heard of something, and tell when each did."""
        await self._until(lambda: len(self._heard.get((kind, value), ())) >= count)
        return self._heard[kind, value]

    async def _until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(120), self._news:
            await self._news.wait_for(holds)


class Bench:
    """One run."""

    def __init__(self, consul: Consul, replica: ControlPlane, watching: Watching, options: argparse.Namespace) -> None:
        """Measure what is running."""
        self._consul = consul
        self._replica = replica
        self._watching = watching
        self._streams = options.streams
        self._changes = options.changes
        self._ports = itertools.count(FIRST_PORT + options.endpoints)

    async def single(self) -> Latency:
        """Add one instance after the other, each when all know of the one before."""
        seconds: list[float] = []
        for _ in range(self._changes):
            port, begun = next(self._ports), time.time()
            await add(self._consul, LARGEST, port)
            seconds += [at - begun for at in await self._watching.heard("port", port, self._streams)]
        return Latency.of(seconds)

    async def burst(self) -> Latency:
        """Add many at once, and wait until all know of the last."""
        ports = [next(self._ports) for _ in range(self._changes)]
        begun = time.time()
        await crowd(ports, lambda port: add(self._consul, LARGEST, port))
        return Latency.of(at - begun for at in await self._watching.heard("port", ports[-1], self._streams))

    async def policy(self) -> Latency:
        """Change the traffic policy again and again."""
        seconds: list[float] = []
        for limit in range(2000, 2000 + self._changes):
            begun = time.time()
            await self._consul.write(f"ordermesh/policy/{LARGEST}", {"maxConcurrentRequests": limit})
            seconds += [at - begun for at in await self._watching.heard("limit", limit, self._streams)]
        return Latency.of(seconds)

    async def calls(self, callers: list[Caller], identity: Any) -> Latency:  # noqa: ANN401 - of the called service
        """Add one instance after the other, and wait until each caller's calls reach it."""
        seconds: list[float] = []
        async with AsyncExitStack() as stack:
            for number in range(self._changes // 5):
                backend = Backend(f"{CALLED}-{number}", identity)
                await backend.start()
                stack.push_async_callback(backend.stop)
                begun = time.time()
                await add(self._consul, CALLED, backend.port)
                seconds += [await each.sees(backend.name) - begun for each in callers]
        return Latency.of(seconds)

    @contextlib.asynccontextmanager
    async def accounted(self, what: str) -> AsyncIterator[Callable[[Latency], None]]:
        """Print a line about what happens inside, with what the replica and the machine spent on it."""
        found: list[Latency] = []
        sent = await self._sent()
        begun, spent, busy = time.monotonic(), self._cpu(), machine.busy()
        yield found.append
        took, cpu = time.monotonic() - begun, self._cpu() - spent
        load = (machine.busy() - busy) / took / (os.cpu_count() or 1)
        print(
            f"{what:32} {found[0].count:6} x  p50 {found[0].p50 * 1000:6.1f} ms  p99 {found[0].p99 * 1000:6.1f} ms"
            f"  replica: {cpu:5.2f} s CPU of {took:5.1f} s, {await self._sent() - sent:6.0f} responses,"
            f" {self._replica.memory_megabytes:4.0f} MB  (machine {load:.0%} busy)",
            flush=True,
        )

    def _cpu(self) -> float:
        return cpu_seconds(Path(f"/proc/{self._replica.pid}/stat").read_text())

    async def _sent(self) -> float:
        kinds = ("Cluster", "ClusterLoadAssignment", "Listener", "RouteConfiguration")
        name = "ordermesh_control_plane_responses_total"
        return sum([await self._replica.metric(f'{name}{{type="{kind}"}}') for kind in kinds])


def _output(process: asyncio.subprocess.Process) -> asyncio.StreamReader:
    if process.stdout is None:
        raise BenchError("the watching clients were started without a pipe")
    return process.stdout


async def add(consul: Consul, service: str, port: int) -> None:
    """Put an instance into the catalogue."""
    name = f"{service}-{port}"
    body = {
        "Node": "bench",
        "Address": HOST,
        "SkipNodeUpdate": True,
        "Service": {"ID": name, "Service": service, "Address": HOST, "Port": port, "Meta": {"version": "1"}},
        "Check": {"Name": name, "Status": "passing", "ServiceID": name, "Output": "fine"},
    }
    await consul.ask("PUT", "/v1/catalog/register", body)


async def crowd(items: list[int], act: Callable[[int], Awaitable[None]]) -> None:
    """Do something for each, some at a time."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(item: int) -> None:
        async with gate:
            await act(item)

    await asyncio.gather(*(one(each) for each in items))


async def run(options: argparse.Namespace, folder: Path) -> None:
    """Set everything up, and measure."""
    versions = Runtime.load(CHECKOUT, os.environ).versions
    binary = components.locate(cache=components.cache_directory(), versions=versions).consul
    consul, watching = Consul(binary, folder), Watching()
    await consul.start()
    async with AsyncExitStack() as stack:
        stack.push_async_callback(consul.stop)
        await consul.ask("PUT", "/v1/catalog/register", {"Node": "bench", "Address": HOST})
        ports = [FIRST_PORT + number for number in range(options.endpoints)]
        # Half of them are of one service.
        await crowd(ports, lambda port: add(consul, LARGEST if port % 2 else OTHERS[port // 2 % len(OTHERS)], port))
        replica = await stack.enter_async_context(serving(ControlPlane(folder, consul, await consul.reading_token())))
        print(
            f"{options.endpoints} endpoints; a replica without clients: {replica.memory_megabytes:.0f} MB", flush=True
        )
        identity = await stack.enter_async_context(member(consul, CALLED, folder))
        tasks = await stack.enter_async_context(asyncio.TaskGroup())
        for _ in range(PROCESSES):
            process = await watching.start(replica, identity.files.folder, options.streams // PROCESSES)
            stack.callback(process.terminate)
            tasks.create_task(watching.read(process))
        await watching.ready(options.streams)
        callers = [
            await stack.enter_async_context(calling(folder / str(number), [replica], CALLED, "/any/Call", 1))
            for number in range(options.callers)
        ]
        await measure(Bench(consul, replica, watching, options), callers, identity)


async def measure(bench: Bench, callers: list[Caller], identity: Any) -> None:  # noqa: ANN401 - as above
    """Measure one thing after the other."""
    async with bench.accounted("nothing changes") as done:
        await asyncio.sleep(5)
        done(Latency.of(()))
    async with bench.accounted("an instance more, to each stream") as done:
        done(await bench.single())
    async with bench.accounted("many at once, to each stream") as done:
        done(await bench.burst())
    async with bench.accounted("another policy, to each stream") as done:
        done(await bench.policy())
    async with bench.accounted("an instance more, to its calls") as done:
        done(await bench.calls(callers, identity))


def main() -> None:
    """Follow the command line."""
    parser = argparse.ArgumentParser("python -m bench.discovery", description=__doc__)
    parser.add_argument("--endpoints", type=int, default=1000)
    parser.add_argument("--streams", type=int, default=196, help=f"a multiple of {PROCESSES}")
    parser.add_argument("--callers", type=int, default=4, help="gRPC's own clients, each a process")
    parser.add_argument("--changes", type=int, default=50)
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(run(parser.parse_args(), Path(folder)))


if __name__ == "__main__":
    main()
