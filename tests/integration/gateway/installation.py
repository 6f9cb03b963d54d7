"""An edge as `make up` installs it, with smaller figures, and a control plane that knows one backend."""

import contextlib
import ssl
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import prometheus_client
from envoy.service.discovery.v3 import ads_pb2_grpc

import gateway
from deploy.native import certificates
from gateway import EdgeSettings, Files, Messages, Options, Ports
from mesh.contract import DESCRIPTORS, Contract
from mesh.control_plane.ads import AggregatedDiscovery
from mesh.control_plane.encryption import Identities
from mesh.control_plane.methods import methods_of
from mesh.control_plane.metrics import Metrics
from mesh.control_plane.publication import Publication, Publisher
from mesh.control_plane.world import Health, Instance, Observation
from mesh.telemetry import get_logger
from tests.integration.gateway.authority import DOMAIN, Authority, credentials
from tests.integration.gateway.backend import Backend
from tests.integration.gateway.tokens import AUDIENCE, ISSUER
from tests.integration.mesh.control_plane.processes import HOST, Process, eventually, free_ports, listens

USER_RATE = 60
STRICT_RATE = 5
HEADERS_SECONDS, REQUEST_SECONDS = 1, 2
FIGURES = (
    f"rates.DEFAULT.requests={USER_RATE}",
    f"rates.STRICT.requests={STRICT_RATE}",
    f"rates.DEFAULT.burst={USER_RATE}",
    f"rates.STRICT.burst={STRICT_RATE}",
    # Allowances come back little by little; no test is so slow that one does.
    "rates.DEFAULT.seconds=36_000",
    "rates.STRICT.seconds=36_000",
    "limits.max_body_bytes=100_000",
    f"limits.handshake_seconds={HEADERS_SECONDS}",
    f"limits.headers_seconds={HEADERS_SECONDS}",
    f"limits.request_seconds={REQUEST_SECONDS}",
)
# Who the backend is; any other service it is not.
BACKEND = ("auth", "inventory", "order", "payment", "product")
# Otherwise the access log is written every ten seconds.
FLUSH = ("--file-flush-interval-msec", "100")


@dataclass(frozen=True, slots=True)
class Edge:
    """What Envoy was given, where it writes, and what is to stand behind it, all members of one mesh."""

    options: Options
    authority: Path
    mesh: Authority
    log: Path
    backend: Backend

    @property
    def http(self) -> str:
        """The plain address."""
        return f"http://{self.target}"

    @property
    def https(self) -> str:
        """The encrypted address."""
        return f"https://{self.secure_target}"

    @property
    def target(self) -> str:
        """The plain address as gRPC wants it."""
        return f"{HOST}:{self.options.ports.http}"

    @property
    def secure_target(self) -> str:
        """The encrypted address as gRPC wants it."""
        return f"{HOST}:{self.options.ports.https}"

    @property
    def trust(self) -> ssl.SSLContext:
        """What believes in the install's own authority."""
        return ssl.create_default_context(cafile=self.authority)


def install(folder: Path, generator: Path, *figures: str, shared_rates: int | None = None) -> Edge:
    """Write all that Envoy reads, with more figures of edge.toml changed."""
    pairs, mesh = certificates.ensure(folder / "tls", "dc1"), Authority()
    http, https, admin, keys, control_plane, services = free_ports(6)
    options = Options(
        contract=Contract.load(),
        messages=Messages(DESCRIPTORS),
        settings=EdgeSettings.load(overrides=(*FIGURES, *figures)),
        issuer=ISSUER,
        audience=AUDIENCE,
        ports=Ports(http=http, https=https, admin=admin, keys=keys),
        files=Files(
            certificate=pairs.edge.certificate,
            private_key=pairs.edge.key,
            identity=mesh.admit(folder / "identity", "edge").folder,
            descriptors=DESCRIPTORS,
            folder=folder / "edge",
            cache=folder / "cache",
            kept=folder / "kept",
        ),
        control_plane=(control_plane,),
        shared_rates=shared_rates,
    )
    gateway.write(options, generator=generator)
    member = mesh.admit(folder / "backend", *BACKEND)
    backend = Backend(services, member)  # type: ignore[abstract] # what it leaves out is UNIMPLEMENTED
    return Edge(options, pairs.authority.certificate, mesh, folder / "envoy.log", backend)


@contextlib.asynccontextmanager
async def restartable(binary: Path, edge: Edge) -> AsyncIterator[Process]:
    """Run it as `make up` does, so that SIGHUP puts a new one in its place."""
    options = ("--concurrency", "1", "--log-level", "warning", "--drain-time-s", "2", "--parent-shutdown-time-s", "4")
    wrapper = (sys.executable, "-m", "deploy.native.hot_restart", edge.log.with_suffix(".base"))
    process = await Process.start(edge.log, *wrapper, binary, "-c", edge.options.files.bootstrap, *options)
    try:
        await eventually(lambda: listens(edge.options.ports.http) or not process.running)
        assert process.running, edge.log.read_text()[-2000:]
        yield process
    finally:
        await process.stop()


@contextlib.asynccontextmanager
async def envoy(binary: Path, edge: Edge) -> AsyncIterator[Process]:
    """Run it, from the moment it listens."""
    options = ("--concurrency", "1", "--disable-hot-restart", "--log-level", "warning", *FLUSH)
    process = await Process.start(edge.log, binary, "-c", edge.options.files.bootstrap, *options)
    try:
        await eventually(lambda: listens(edge.options.ports.http) or not process.running)
        assert process.running, edge.log.read_text()[-2000:]
        yield process
    finally:
        await process.stop()


@contextlib.asynccontextmanager
async def control_plane(edge: Edge) -> AsyncIterator[None]:
    """Tell Envoy that every service is at the port of the backend."""
    publication, metrics = Publication(), Metrics(prometheus_client.CollectorRegistry())
    known = methods_of(Contract.load())
    instance = Instance("one", HOST, edge.backend.port, "", "", Health.HEALTHY)
    publisher = Publisher(
        known, publication, metrics, get_logger("test"), identities=Identities(DOMAIN, edge.options.files.folder)
    )
    publisher.tell(Observation(1, dict.fromkeys(known, (instance,))))
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    discovery = AggregatedDiscovery("test", publication, metrics, get_logger("test"))
    ads_pb2_grpc.add_AggregatedDiscoveryServiceServicer_to_server(discovery, server)
    member = edge.mesh.admit(edge.options.files.folder.parent / "control-plane", "control-plane")
    server.add_secure_port(f"{HOST}:{edge.options.control_plane[0]}", credentials(member))
    await server.start()
    yield
    publication.end()
    await server.stop(1)
