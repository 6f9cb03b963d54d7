"""Envoy's rate limit service and the Valkey that it counts in, behind a socket of its own."""

import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path

from deploy.native import components
from gateway.settings import EdgeSettings
from gateway.shared_rates import DOMAIN, service_configuration
from tests.integration.mesh.control_plane.processes import HOST, Process, eventually, free_ports, listens


@contextlib.asynccontextmanager
async def ratelimit(
    folder: Path, programs: components.Components, settings: EdgeSettings, port: int
) -> AsyncIterator[Process]:
    """Run both, from the moment the service answers on a port."""
    config = folder / "runtime" / "ratelimit" / "config"
    config.mkdir(parents=True)
    # JSON is YAML.
    (config / f"{DOMAIN}.yaml").write_text(json.dumps(service_configuration(settings)))
    async with _valkey(folder, programs) as socket:
        service = await Process.start(
            folder / "ratelimit.log", programs.ratelimit, **_environment(folder, socket, port)
        )
        try:
            await eventually(lambda: listens(port) or not service.running)
            assert service.running, service.log.read_text()[-2000:]
            yield service
        finally:
            await service.stop()


@contextlib.asynccontextmanager
async def _valkey(folder: Path, programs: components.Components) -> AsyncIterator[Path]:
    socket = folder / "valkey.sock"
    settings = (
        "--port",
        "0",
        "--unixsocket",
        str(socket),
        "--unixsocketperm",
        "600",
        "--save",
        "",
        "--dir",
        str(folder),
    )
    valkey = await Process.start(folder / "valkey.log", programs.valkey_server, *settings)
    try:
        await eventually(socket.exists)
        yield socket
    finally:
        await valkey.stop()


def _environment(folder: Path, socket: Path, port: int) -> dict[str, str]:
    """Say everything that it would take from its defaults otherwise, which listen to the network."""
    http, debug = free_ports(2)
    return {
        "GRPC_HOST": HOST,
        "GRPC_PORT": str(port),
        "HOST": HOST,
        "PORT": str(http),
        "DEBUG_HOST": HOST,
        "DEBUG_PORT": str(debug),
        "USE_STATSD": "false",
        "LOG_LEVEL": "warn",
        "BACKEND_TYPE": "redis",
        "REDIS_SOCKET_TYPE": "unix",
        "REDIS_TYPE": "SINGLE",
        "REDIS_URL": str(socket),
        "CACHE_KEY_PREFIX": f"{DOMAIN}:",
        "RUNTIME_ROOT": str(folder / "runtime"),
        "RUNTIME_SUBDIRECTORY": "ratelimit",
        "RUNTIME_WATCH_ROOT": "false",
    }
