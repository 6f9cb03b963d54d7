"""A process of the mesh from start to end: `run(name, build)` is all that a service's __main__ calls."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any, TypeVar

import grpc
import prometheus_client
import uvloop
from grpc_health.v1 import health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from pydantic import ValidationError

from mesh import introspection
from mesh.client import Clients
from mesh.contract import Contract, MethodPolicy
from mesh.gate import Gate
from mesh.health import Check, Health
from mesh.identity import joined
from mesh.intentions import Intentions
from mesh.introspection import Introspection
from mesh.peers import CertifiedPeers
from mesh.registry import Registry
from mesh.runtime_settings import Flag, RuntimeSettings, V
from mesh.settings import MeshSettings, explain
from mesh.telemetry import configure_logging, get_logger
from mesh.tracing import client_interceptors, configure_tracing, sample, server_interceptors
from mesh.workers import Worker, finish, keep_running
from mesh.xds import write_bootstrap
from ordermesh.mesh.v1.introspection_service_pb2_grpc import add_IntrospectionServiceServicer_to_server

_log = get_logger(__name__)

Entered = TypeVar("Entered")
Stub = TypeVar("Stub")

SERVER_OPTIONS = (
    ("grpc.so_reuseport", 0),  # A second process on the port would take half of the connections: let it fail.
    ("grpc.max_metadata_size", 16 * 1024),
    ("grpc.max_receive_message_length", 4 * 1024 * 1024),
    ("grpc.max_connection_age_grace_ms", 30_000),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    # Clients ask once a second whether we are alive (mesh.client). After a pause of ours their questions come all at
    # once, which is no abuse: they are members of the mesh.
    ("grpc.http2.max_ping_strikes", 0),
)
# Clients hear from the control plane within milliseconds that an instance left; until then it still serves.
LEAVE_SECONDS = 0.3


class Application:
    """What a service puts together in its `build`: what it stands on, serves, calls and does in the background."""

    def __init__(
        self,
        settings: MeshSettings,
        contract: Contract,
        clients: Clients,
        runtime: RuntimeSettings,
        stack: AsyncExitStack,
    ) -> None:
        """Made by `run`."""
        self.settings = settings
        self.services: dict[str, Callable[[grpc.aio.Server], None]] = {}
        self.health = Health()
        self.workers: dict[str, Worker] = {}
        self._contract = contract
        self._clients = clients
        self._runtime = runtime
        self._stack = stack

    async def enter(self, manager: AbstractAsyncContextManager[Entered]) -> Entered:
        """Open something that is closed when the process ends, the last opened first."""
        return await self._stack.enter_async_context(manager)

    def serve(self, servicer: object, add: Callable[[Any, grpc.aio.Server], None], service: str) -> None:
        """Serve a contract; `add` is the generated add_…_to_server, `service` the full name. Raises LookupError."""
        self._contract.learn(service)
        self.services[service] = lambda server: add(servicer, server)

    @property
    def methods(self) -> tuple[MethodPolicy, ...]:
        """What is served to the mesh: all but what every process serves."""
        served = self.services.keys() - {introspection.SERVICE}
        return tuple(method for method in self._contract.methods if method.service in served)

    def client(self, stub: Callable[[grpc.aio.Channel], Stub], service: str, *, as_service: bool = False) -> Stub:
        """Return a stub held to its contract; see mesh.client. Raises LookupError."""
        self._contract.learn(service)
        return self._clients.client(stub, service, as_service=as_service)

    def add_check(self, name: str, check: Check) -> None:
        """Let health depend on `check`, which raises when the dependency can't be used."""
        self.health.add(name, check)

    def flag(self, name: str, default: V) -> Flag[V]:
        """Declare a feature flag, which operators set at run time; call it to read it. See mesh.runtime_settings."""
        return self._runtime.flag(name, default)

    def background(self, name: str, worker: Worker) -> None:
        """Run `worker(stop)` beside the calls; one that fails is started again. It ends soon after `stop` is set."""
        self.workers[name] = worker


Build = Callable[[Application], Awaitable[None]]


def run(name: str, build: Build) -> None:
    """Run the service until SIGTERM or SIGINT; then leave Consul, finish what is being answered, and end."""
    with _settings_explained():
        settings = MeshSettings(service=name)
    uvloop.run(_run(settings, build))


@contextlib.contextmanager
def _settings_explained() -> Iterator[None]:
    """End the process over settings that are wrong with one line for each, which the end of its log then shows."""
    try:
        yield
    except ValidationError as refused:
        raise SystemExit(explain(refused)) from None


async def _run(settings: MeshSettings, build: Build) -> None:
    configure_logging(settings.log_level, settings.service)
    tracing = configure_tracing(settings)
    contract = Contract()
    metrics_server, _ = prometheus_client.start_http_server(settings.metrics_port, settings.host)
    async with AsyncExitStack() as stack:
        stack.callback(metrics_server.shutdown)
        stack.callback(tracing.shutdown)
        identity = await stack.enter_async_context(joined(settings))
        os.environ["GRPC_XDS_BOOTSTRAP"] = str(write_bootstrap(settings, identity.files))
        clients = Clients(contract, client_interceptors(tracing))
        stack.push_async_callback(clients.close)
        runtime = RuntimeSettings(settings, lambda ratio: sample(tracing, ratio))
        application = Application(settings, contract, clients, runtime, stack)
        with _settings_explained():
            await build(application)
        intentions = Intentions()
        application.add_check("intentions", intentions.check)
        application.background("intentions", lambda stop: intentions.keep(settings, stop))
        application.background("settings", runtime.keep)
        peers = CertifiedPeers(identity.domain, intentions)
        told = Introspection(settings, identity, application.health, intentions, peers)
        application.serve(told, add_IntrospectionServiceServicer_to_server, introspection.SERVICE)
        gate = Gate(contract, peers, settings.max_calls, settings.max_streams)
        # Clients come back to whoever is there by then, and show the certificate they have by then.
        age = ("grpc.max_connection_age_ms", round(settings.connection_max_age_seconds * 1000))
        interceptors = (*server_interceptors(tracing), gate)
        server = grpc.aio.server(interceptors=interceptors, options=(*SERVER_OPTIONS, age))
        server.add_secure_port(f"{settings.host}:{settings.port}", identity.server_credentials())
        await _serve(application, server, gate, _stop_on_signals())


async def _serve(application: Application, server: grpc.aio.Server, gate: Gate, stop: asyncio.Event) -> None:
    settings, health = application.settings, application.health
    health.speaks_for(application.services)
    _add_services(application, server, health)
    await server.start()
    _log.info("serving", address=f"{settings.host}:{settings.port}", version=settings.version)

    checks_end, workers_end = asyncio.Event(), asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        workers = [
            tasks.create_task(keep_running(name, worker, workers_end)) for name, worker in application.workers.items()
        ]
        await health.settle()
        registry = tasks.create_task(Registry(settings, health, application.methods).keep(stop))
        tasks.create_task(health.follow(checks_end))
        await stop.wait()
        await registry
        await asyncio.sleep(LEAVE_SECONDS)
        checks_end.set()
        await health.leave()
        gate.drain()
        await server.stop(settings.drain_seconds)
        workers_end.set()
        await finish(workers, settings.drain_seconds)
    _log.info("stopped")


def _add_services(application: Application, server: grpc.aio.Server, health: Health) -> None:
    for add in application.services.values():
        add(server)
    health_pb2_grpc.add_HealthServicer_to_server(health.servicer, server)
    names = (*application.services, "grpc.health.v1.Health", reflection.SERVICE_NAME)
    reflection.enable_server_reflection(names, server)


def _stop_on_signals() -> asyncio.Event:
    stop = asyncio.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(each, stop.set)
    return stop
