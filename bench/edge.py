"""`make bench-edge`: what the edge costs beside a direct gRPC call, and what it does when there is too much.

It runs an Envoy of its own, as `make up` sets it up but with one thread and without limits of rate, before services
that answer at once. Whoever measures runs on the same machine: the ratios say more than the rates.
"""

import argparse
import asyncio
import contextlib
import json
import os
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from http import HTTPStatus
from pathlib import Path

import aiohttp
import grpc
import uvloop

from bench import behind, calls, load
from bench.aside import beside
from bench.behind import BUSY
from bench.calls import Calls, Target
from bench.latency import Latency
from bench.load import OK, Ask
from deploy.native import components
from deploy.native.runtime import Runtime
from mesh.certificates import Files
from ordermesh.order.v1 import order_service_pb2, order_service_pb2_grpc
from services.auth.passwords import Passwords
from tests.integration.gateway.installation import Edge, control_plane, envoy, install
from tests.integration.gateway.tokens import PUBLIC_KEY, bearer, token
from tests.integration.mesh.control_plane.processes import HOST

CHECKOUT = Path(__file__).resolve().parents[1]
DIRECT = "gRPC, without the edge"
CLIENTS = (1, 16)
# As docs/edge.md advises for a service that computes, with one instance.
LEAST = "overload.least_at_once=8"
UNLIMITED = ("rates.DEFAULT.requests=1_000_000_000", "rates.DEFAULT.burst=1_000_000_000")
PACKED = {"accept-encoding": "zstd, br, gzip"}
TOO_MUCH, AT_ITS_LIMIT = 4, 32
LOGINS = 5
READ = token("orders.read")
ORDER = order_service_pb2.GetOrderRequest(id="7")


async def run(seconds: float, folder: Path) -> None:
    """Set everything up, and measure one thing after the other."""
    versions = Runtime.load(CHECKOUT, os.environ).versions
    programs = components.locate(cache=components.cache_directory(), versions=versions)
    edge = install(folder, programs.protoc_gen_openapi, *UNLIMITED, LEAST)
    served = (str(edge.backend.port), str(folder / "backend"), json.dumps(PUBLIC_KEY))
    async with (
        beside(behind.__name__, *served) as services,
        control_plane(edge),
        envoy(programs.envoy, edge) as process,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=edge.trust), auto_decompress=False) as http,
    ):
        await _serves(http, edge)
        async with _targets(edge, http, services.pid, process.pid) as targets:
            print("\n".join(_table(await calls.compare(targets, CLIENTS, seconds))), flush=True)
        await _overload(http, edge, seconds)
    await _login()


@contextlib.asynccontextmanager
async def _targets(edge: Edge, http: aiohttp.ClientSession, services: int, process: int) -> AsyncIterator[list[Target]]:
    """Make ready whom to call; the first is what all others are compared with."""
    identity = Files(edge.options.files.identity)
    parts = (identity.authorities, identity.key, identity.certificate)
    credentials = grpc.ssl_channel_credentials(*(part.read_bytes() for part in parts))
    metadata = tuple(bearer(READ).items())
    async with AsyncExitStack() as held:
        straight = await held.enter_async_context(grpc.aio.secure_channel(f"{HOST}:{edge.backend.port}", credentials))
        through = await held.enter_async_context(grpc.aio.insecure_channel(edge.target))
        direct, native = (order_service_pb2_grpc.OrderServiceStub(channel) for channel in (straight, through))
        address, everything = f"{edge.https}/api/v1/orders/7", {**bearer(READ), **PACKED}
        yield [
            Target(DIRECT, lambda: direct.GetOrder(ORDER, metadata=metadata), services),
            Target("gRPC", lambda: native.GetOrder(ORDER, metadata=metadata), process),
            Target("REST, public", lambda: _get(http, f"{edge.http}/api/v1/inventory/A", {}), process),
            Target("REST, token, https, packed", lambda: _get(http, address, everything), process),
            Target("REST, from the cache", lambda: _get(http, f"{edge.http}/api/v1/products/7", {}), process),
        ]


async def _get(http: aiohttp.ClientSession, address: str, headers: Mapping[str, str]) -> None:
    async with http.get(address, headers=headers) as reply:
        await reply.read()
        reply.raise_for_status()


def _table(measured: Sequence[Calls]) -> Iterator[str]:
    """Say how each way of calling went, beside the direct one with as many clients."""
    direct = {each.clients: each.outcome.rate for each in measured if each.target == DIRECT}
    yield f"{'':26} {'clients':>7} {'a second':>9} {'ratio':>6} {'p95 ms':>7} {'Envoy us':>9}  errors"
    for each in measured:
        done = each.outcome
        ratio, p95 = done.rate / direct[each.clients], done.latency.p95 * 1000
        cpu = "-" if each.target == DIRECT else f"{each.server_cpu_per_call * 1e6:.0f}"
        figures = f"{each.clients:7} {done.rate:9.0f} {ratio:6.2f} {p95:7.2f} {cpu:>9}  {done.errors or ''}"
        yield f"{each.target:26} {figures}".rstrip()


async def _overload(http: aiohttp.ClientSession, edge: Edge, seconds: float) -> None:
    """Find what a busy service carries, then ask for four times that; how long it took is what the edge has logged."""
    ask = _asking(http, f"{edge.http}/api/v1/orders/{BUSY}")
    alone, lone = await load.closed(ask, 1, seconds), await _logged(edge, 0)
    carried = await load.closed(ask, AT_ITS_LIMIT, seconds)
    await _logged(edge, 0)
    begun, offered = edge.log.stat().st_size, TOO_MUCH * carried.rate
    flood, accepted = await load.paced(ask, offered, seconds), await _logged(edge, begun)
    for what, outcome in (
        ("one client", alone),
        ("as much as it carries", carried),
        (f"{offered:.0f} asked for", flood),
    ):
        print(f"{what}: {outcome.rate:.0f} a second, refused {outcome.errors}")
    print(f"p95: one client {lone.p95 * 1000:.0f} ms, accepted of too many {accepted.p95 * 1000:.0f} ms", flush=True)


async def _logged(edge: Edge, begun: int) -> Latency:
    """Read how long the busy calls took that went well, in what the edge has logged since its log was so long."""
    await asyncio.sleep(1)  # It writes ten times a second.
    lines = edge.log.read_bytes()[begun:].decode().splitlines()
    entries = [json.loads(line) for line in lines if line.startswith("{") and f"/{BUSY}" in line]
    return Latency.of([entry["duration_ms"] / 1000 for entry in entries if entry["status"] == HTTPStatus.OK])


def _asking(http: aiohttp.ClientSession, address: str) -> Ask:
    async def ask(_: int) -> str:
        async with http.get(address, headers=bearer(READ)) as reply:
            await reply.read()
            return OK if reply.ok else str(reply.status)

    return ask


async def _login() -> None:
    """Measure what a password costs, which is what a login costs; it is meant to."""
    passwords = Passwords()
    kept = await passwords.hash("correct horse battery")
    begun = time.process_time()
    for _ in range(LOGINS):
        await passwords.matches(kept, "correct horse battery")
    print(f"a login's password: {(time.process_time() - begun) / LOGINS * 1000:.0f} ms of CPU at auth")


async def _serves(http: aiohttp.ClientSession, edge: Edge) -> None:
    async with asyncio.timeout(60):
        while True:
            async with http.get(f"{edge.http}/api/v1/orders/7", headers=bearer(READ)) as reply:
                if reply.ok:
                    return
            await asyncio.sleep(0.1)


def main() -> None:
    """Follow the command line."""
    parser = argparse.ArgumentParser("python -m bench.edge", description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each measurement (default: %(default)g)")
    seconds = parser.parse_args().seconds
    with tempfile.TemporaryDirectory() as folder:
        uvloop.run(run(seconds, Path(folder)))


if __name__ == "__main__":
    main()
