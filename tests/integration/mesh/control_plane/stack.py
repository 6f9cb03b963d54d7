"""The real parts that these tests put together: Consul, control plane replicas, gRPC servers and clients."""

import asyncio
import contextlib
import json
import os
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as health

HERE = Path(__file__).parent
HOST = "127.0.0.1"
READ_ORDER = "/ordermesh.order.v1.OrderService/GetOrder"
CREATE_ORDER = "/ordermesh.order.v1.OrderService/CreateOrder"
TOKEN = "6f1c6b0e-3c8e-4f3e-9c51-0a3d6b1c2d4e"


def free_ports(count: int) -> list[int]:
    """Find ports that nobody listens on."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind((HOST, 0))
        return [each.getsockname()[1] for each in sockets]


async def eventually(holds: Callable[[], bool], seconds: float = 20) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(seconds):
        while not holds():
            await asyncio.sleep(0.01)


class Process:
    """A child process, which is gone when the test is."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        """Take over a process that writes to a log."""
        self._process = process
        self.log = log

    @classmethod
    async def start(cls, log: Path, *command: str | Path, **environment: str) -> "Process":
        """Start a command with some of the environment changed."""
        with log.open("ab") as output:
            child = await asyncio.create_subprocess_exec(
                *command, stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=output,
                env=os.environ | environment,
            )
        return cls(child, log)

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    async def stop(self, *, kill: bool = False) -> None:
        """End the process, at once or by asking."""
        if self._process.returncode is None:
            self._process.kill() if kill else self._process.terminate()
        await self._process.wait()


class Consul:
    """A Consul server with data of its own, default deny, and one token that may do everything."""

    def __init__(self, binary: Path, folder: Path) -> None:
        """Prepare one that is not started."""
        self._binary = binary
        self._folder = folder
        self._process: Process | None = None
        self.http, *others = free_ports(5)
        self.url = f"http://{HOST}:{self.http}"
        names = ("dns", "server", "serf_lan", "grpc_tls")
        configuration = {
            "server": True,
            "bootstrap_expect": 1,
            "node_name": "test",
            "bind_addr": HOST,
            "client_addr": HOST,
            "disable_update_check": True,
            "performance": {"raft_multiplier": 1},
            "ports": dict(zip(names, others, strict=True)) | {"http": self.http, "grpc": -1, "serf_wan": -1},
            "acl": {"enabled": True, "default_policy": "deny", "tokens": {"initial_management": TOKEN, "agent": TOKEN}},
        }
        (folder / "consul.json").write_text(json.dumps(configuration))

    async def start(self) -> None:
        """Start it, and wait until it lists itself."""
        data = f"-data-dir={self._folder / 'data'}"
        configuration = f"-config-file={self._folder / 'consul.json'}"
        self._process = await Process.start(self._folder / "consul.log", self._binary, "agent", configuration, data)
        async with asyncio.timeout(30):
            while "consul" not in await self._services():
                await asyncio.sleep(0.05)

    async def _services(self) -> Any:
        try:
            return await self.ask("GET", "/v1/catalog/services")
        except aiohttp.ClientError:
            return ()

    async def stop(self, *, kill: bool = True) -> None:
        """End it, by default as a crash would."""
        if self._process:
            await self._process.stop(kill=kill)

    def forget(self) -> None:
        """Lose all data; only while it is stopped."""
        (self._folder / "data").rename(self._folder / f"lost-{time.monotonic_ns()}")

    async def ask(self, verb: str, path: str, body: object = None, token: str = TOKEN) -> Any:
        """Use the HTTP API; answers JSON or nothing."""
        async with (
            aiohttp.ClientSession(self.url, headers={"X-Consul-Token": token}) as http,
            http.request(verb, path, json=body, raise_for_status=True) as response,
        ):
            return await response.json() if await response.read() else None

    async def reading_token(self) -> str:
        """Make a token that may do what the control plane needs: read nodes and services."""
        rules = 'service_prefix "" { policy = "read" } node_prefix "" { policy = "read" }'
        await self.ask("PUT", "/v1/acl/policy", {"Name": "control-plane", "Rules": rules})
        return str((await self.ask("PUT", "/v1/acl/token", {"Policies": [{"Name": "control-plane"}]}))["SecretID"])


class Backend:
    """A gRPC server that answers every method with its name, or with the status it is told to."""

    def __init__(self, name: str, service: str = "order") -> None:
        """Prepare an instance of a service."""
        self.name = name
        self.service = service
        self.port = free_ports(1)[0]
        self.refusal: grpc.StatusCode | None = None
        self.calls = 0
        self._health = health.HealthServicer()
        self._server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
        self._server.add_generic_rpc_handlers((_AnyMethod(self._answer),))
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        self._server.add_insecure_port(f"{HOST}:{self.port}")

    async def start(self) -> None:
        """Listen, and be healthy."""
        await self._server.start()
        await self.say(healthy=True)

    async def stop(self) -> None:
        """Stop listening."""
        await self._server.stop(0.5)

    async def say(self, *, healthy: bool) -> None:
        """Answer health checks."""
        statuses = health_pb2.HealthCheckResponse
        await self._health.set("", statuses.SERVING if healthy else statuses.NOT_SERVING)

    async def register(self, consul: Consul, **meta: str) -> None:
        """Tell Consul's agent about this instance, with a check that begins critical."""
        check = {
            "GRPC": f"{HOST}:{self.port}",
            "Interval": "200ms",
            "Timeout": "1s",
            "DeregisterCriticalServiceAfter": "10m",
        }
        body = {"ID": self.name, "Name": self.service, "Address": HOST, "Port": self.port, "Meta": meta, "Check": check}
        await consul.ask("PUT", "/v1/agent/service/register", body)

    async def leave(self, consul: Consul) -> None:
        """Take this instance out of Consul."""
        await consul.ask("PUT", f"/v1/agent/service/deregister/{self.name}")

    async def _answer(self, _request: bytes, context: "grpc.aio.ServicerContext[bytes, bytes]") -> bytes:
        self.calls += 1
        if self.refusal:
            await context.abort(self.refusal, "as told")
        return self.name.encode()


class _AnyMethod(grpc.GenericRpcHandler[Any, Any]):
    """Hands every method but the health checks to one function."""

    def __init__(self, answer: Callable[..., Any]) -> None:
        self._handler = grpc.unary_unary_rpc_method_handler(answer)

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> "grpc.RpcMethodHandler[Any, Any] | None":
        foreign = "/grpc.health." in handler_call_details.method
        return None if foreign else self._handler


class ControlPlane:
    """One replica of the real process."""

    def __init__(self, folder: Path, consul_http: str, token: str, name: str = "control-plane-1") -> None:
        """Prepare one that is not started."""
        self.port, self.metrics_port = free_ports(2)
        self.address = f"{HOST}:{self.port}"
        self.log = folder / f"{name}.log"
        self._process: Process | None = None
        self._environment = {
            "ORDERMESH_INSTANCE": name,
            "ORDERMESH_HOST": HOST,
            "ORDERMESH_PORT": str(self.port),
            "ORDERMESH_METRICS_PORT": str(self.metrics_port),
            "ORDERMESH_CONSUL_HTTP": consul_http,
            "ORDERMESH_CONSUL_TOKEN": token,
        }

    async def start(self, *, wait: bool = True) -> None:
        """Start it, and wait until it serves unless told otherwise."""
        command = (sys.executable, "-m", "mesh.control_plane")
        self._process = await Process.start(self.log, *command, **self._environment)
        if wait:
            await eventually(self.listens)

    def listens(self) -> bool:
        """Whether it accepts connections."""
        with socket.socket() as probe:
            return probe.connect_ex((HOST, self.port)) == 0

    async def stop(self, *, kill: bool = False) -> None:
        """End it."""
        if self._process:
            await self._process.stop(kill=kill)

    async def metric(self, line: str) -> float:
        """Read a metric by the name and labels that its line begins with; 0 when it is not there."""
        async with aiohttp.ClientSession() as http, http.get(f"http://{HOST}:{self.metrics_port}/metrics") as reply:
            found = [each for each in (await reply.text()).splitlines() if each.startswith(line + " ")]
            return float(found[0].rsplit(" ", 1)[1]) if found else 0.0

    async def refusals(self) -> float:
        """Count the NACKs of all types."""
        types = ("Cluster", "ClusterLoadAssignment", "Listener", "RouteConfiguration")
        name = "ordermesh_control_plane_requests_total"
        return sum([await self.metric(f'{name}{{meaning="refused",type="{each}"}}') for each in types])

    @property
    def memory_megabytes(self) -> float:
        """The resident memory of the process."""
        assert self._process
        pages = int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


class Caller:
    """A client process under load; `seen` maps each outcome to when it was first seen and how long that call took."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        """Follow what the process prints."""
        self._process = process
        self.seen: dict[str, dict[str, float]] = {}
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
        return self.seen[outcome]["at"]

    async def finish(self) -> dict[str, int]:
        """Stop calling, and return how often each outcome was seen."""
        assert self._process.stdin
        self._process.stdin.close()
        await self._reading
        await self._process.wait()
        return self.counts


@contextlib.asynccontextmanager
async def calling(
    folder: Path, replicas: list[ControlPlane], service: str = "order", path: str = READ_ORDER, at_a_time: int = 8
) -> AsyncIterator[Caller]:
    """Keep calling a service through `xds:///` from a process of its own."""
    bootstrap = folder / "bootstrap.json"
    bootstrap.write_text(json.dumps(client_bootstrap(replicas)))
    child = await asyncio.create_subprocess_exec(
        sys.executable, HERE / "caller.py", f"xds:///{service}", path, str(at_a_time),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        env=os.environ | {"GRPC_XDS_BOOTSTRAP": str(bootstrap)},
    )
    caller = Caller(child)
    try:
        yield caller
    finally:
        await caller.finish()


def client_bootstrap(replicas: list[ControlPlane]) -> dict[str, Any]:
    """Make what gRPC's xDS client reads from GRPC_XDS_BOOTSTRAP."""
    return {
        "xds_servers": [
            {
                "server_uri": "ipv4:" + ",".join(each.address for each in replicas),
                "channel_creds": [{"type": "insecure"}],
                "server_features": ["xds_v3", "ignore_resource_deletion"],
            }
        ],
        "node": {"id": "caller-1", "cluster": "caller", "locality": {"region": "dc1", "zone": "zone-a"}},
    }
