"""`make bench-revoked`: what the table of revoked tokens costs Envoy, for each call and for each time it is replaced.

It runs an Envoy of its own, as `make bench-edge` does. Figures are CPU of Envoy's process.
"""

import argparse
import asyncio
import os
import tempfile
import time
import uuid
from pathlib import Path

import httpx
import uvloop

from bench import calls
from bench.accounts import Cpu
from bench.calls import Target
from bench.edge import CHECKOUT, UNLIMITED
from deploy.native import components
from deploy.native.runtime import Runtime
from gateway.revocations import Revoked, write
from tests.integration.gateway.installation import Edge, control_plane, envoy, install
from tests.integration.gateway.tokens import bearer, token

SIZES = (0, 1_000, 10_000)
REPLACED = 5
# Envoy takes a table up much faster than that.
PAUSE_S = 1.5
PATH = "/api/v1/orders/7"
READ = bearer(token("orders.read", jti=str(uuid.uuid4()), sid=str(uuid.uuid4())))


async def run(seconds: float, folder: Path) -> None:
    """Measure with tables of several sizes, one after the other."""
    versions = Runtime.load(CHECKOUT, os.environ).versions
    programs = components.locate(cache=components.cache_directory(), versions=versions)
    edge = install(folder, programs.protoc_gen_openapi, *UNLIMITED)
    async with (
        envoy(programs.envoy, edge) as process,
        control_plane(edge),
        httpx.AsyncClient(base_url=edge.http, headers=READ) as http,
    ):
        await edge.backend.start()
        async with asyncio.timeout(60):
            while (await http.get(PATH)).is_error:  # noqa: ASYNC110 - Envoy fetches the keys
                await asyncio.sleep(0.1)
        print(f"{'ids':>7} {'file KiB':>9} {'us a call':>10} {'ms to take up':>14} {'ms to write':>12}")
        for size in SIZES:
            print(await _measured(http, edge, process.pid, size, seconds), flush=True)
        await edge.backend.stop()


async def _measured(http: httpx.AsyncClient, edge: Edge, pid: int, size: int, seconds: float) -> str:
    table = frozenset(str(uuid.uuid4()) for _ in range(size))
    write(edge.options.files.revoked, Revoked(sessions=table))
    await asyncio.sleep(PAUSE_S)
    (called,) = await calls.compare([Target("edge", lambda: _get(http), pid)], (1,), seconds)
    before, writing = Cpu.read({"edge": pid}), 0.0
    for _ in range(REPLACED):
        begun = time.process_time()
        write(edge.options.files.revoked, Revoked(frozenset({str(uuid.uuid4())}), table))
        writing += time.process_time() - begun
        await asyncio.sleep(PAUSE_S)
    took = Cpu.read({"edge": pid}).since(before)["edge"] / REPLACED
    kib = edge.options.files.revoked.stat().st_size / 1024
    call = called.server_cpu_per_call * 1e6
    return f"{size:7} {kib:9.0f} {call:10.0f} {took * 1000:14.0f} {writing / REPLACED * 1000:12.1f}"


async def _get(http: httpx.AsyncClient) -> None:
    (await http.get(PATH)).raise_for_status()


def main() -> None:
    """Follow the command line."""
    parser = argparse.ArgumentParser("python -m bench.revoked", description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each measurement (default: %(default)g)")
    seconds = parser.parse_args().seconds
    with tempfile.TemporaryDirectory() as folder:
        uvloop.run(run(seconds, Path(folder)))


if __name__ == "__main__":
    main()
