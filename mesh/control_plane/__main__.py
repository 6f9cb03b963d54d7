"""The control plane process, `python -m mesh.control_plane`. It listens once it knows all of Consul's state.

Until then nobody can connect, so clients turn to the other replica. From then on it serves the last good
snapshot, whatever happens to Consul.
"""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Coroutine

import grpc
import uvloop
from envoy.service.discovery.v3 import ads_pb2_grpc
from grpc_health.v1 import health_pb2_grpc
from prometheus_client import REGISTRY, start_http_server

from mesh import introspection
from mesh.blocking_queries import agent_of
from mesh.contract import Contract
from mesh.control_plane.ads import AggregatedDiscovery
from mesh.control_plane.encryption import Identities
from mesh.control_plane.introspection import ControlPlaneIntrospection
from mesh.control_plane.methods import methods_of
from mesh.control_plane.metrics import Metrics
from mesh.control_plane.publication import Publication, Publisher
from mesh.control_plane.settings import ControlPlaneSettings
from mesh.control_plane.watch import ConsulCatalog, watch
from mesh.gate import Gate
from mesh.health import Health
from mesh.identity import Identity, joined
from mesh.intentions import Intentions
from mesh.peers import CertifiedPeers
from mesh.registry import Registry
from mesh.runtime_settings import RuntimeSettings
from mesh.settings import MeshSettings
from mesh.telemetry import configure_logging, get_logger
from ordermesh.mesh.v1.introspection_service_pb2_grpc import add_IntrospectionServiceServicer_to_server

NAME = "control-plane"

SERVICE = "envoy.service.discovery.v3.AggregatedDiscoveryService"

SERVER_OPTIONS = (
    ("grpc.so_reuseport", 0),  # A second process on the port would take half of the streams: let it fail.
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 5_000),  # Envoy pings its quiet stream.
)

GRACE_SECONDS = 1.0


async def run(settings: ControlPlaneSettings) -> None:
    """Serve until cancelled. Whatever else ends it is a defect, and its supervisor starts it anew."""
    log, metrics, publication = get_logger(NAME), Metrics(REGISTRY), Publication()
    services = methods_of(Contract.load())
    discovery = AggregatedDiscovery(settings.instance, publication, metrics, log)
    # Where several replicas stand in one address, gRPC takes the whole list for the name to expect in the certificate.
    joining = joined(settings, names=(settings.control_plane,))
    async with joining as identity, agent_of(settings) as agent, asyncio.TaskGroup() as tasks:
        identities = Identities(identity.domain, settings.edge_identity)
        publisher = Publisher(services, publication, metrics, log, identities=identities)
        tasks.create_task(watch(ConsulCatalog(agent), services, publisher.tell, metrics, log))
        tasks.create_task(RuntimeSettings(settings).keep(asyncio.Event()))
        await publication.begun.wait()
        intentions, health = Intentions(), Health()
        tasks.create_task(intentions.keep(settings, asyncio.Event()))
        peers = CertifiedPeers(identity.domain, intentions)
        told = ControlPlaneIntrospection(settings, identity, health, intentions, peers).of(discovery, publisher)
        server = _server(settings, identity, peers)
        ads_pb2_grpc.add_AggregatedDiscoveryServiceServicer_to_server(discovery, server)
        add_IntrospectionServiceServicer_to_server(told, server)
        async with _listening(settings, server, health, publication):
            log.info("serving", address=f"{settings.host}:{settings.port}")
            await asyncio.Event().wait()


def _server(settings: MeshSettings, identity: Identity, peers: CertifiedPeers) -> grpc.aio.Server:
    """Listen behind the gate, which lets every member to the streams, and operators to all else."""
    contract = Contract()
    contract.learn(introspection.SERVICE)
    server = grpc.aio.server(interceptors=(Gate(contract, peers, settings.max_calls),), options=SERVER_OPTIONS)
    server.add_secure_port(f"{settings.host}:{settings.port}", identity.server_credentials())
    return server


@contextlib.asynccontextmanager
async def _listening(
    settings: MeshSettings, server: grpc.aio.Server, health: Health, publication: Publication
) -> AsyncIterator[None]:
    """Serve streams and health, and be seen in Consul; at the end turn new connections away, then let streams end."""
    health.speaks_for([SERVICE])
    await health.look()
    health_pb2_grpc.add_HealthServicer_to_server(health.servicer, server)
    await server.start()
    leaving = asyncio.Event()
    registered = asyncio.create_task(Registry(settings, health).keep(leaving))
    try:
        yield
    finally:
        leaving.set()
        await registered
        stopping = asyncio.create_task(server.stop(GRACE_SECONDS))
        await asyncio.sleep(0)
        publication.end()
        await stopping


async def stop_on_signals(work: Coroutine[None, None, None]) -> None:
    """Run the work until SIGTERM or SIGINT, which cancel it."""
    running = asyncio.create_task(work)
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, running.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await running


def main() -> None:
    """Read the settings from the environment, and run."""
    settings = ControlPlaneSettings(service=NAME)
    configure_logging(settings.log_level, settings.service)
    start_http_server(settings.metrics_port, settings.host)
    uvloop.run(stop_on_signals(run(settings)))


if __name__ == "__main__":
    main()
