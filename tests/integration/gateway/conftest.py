"""A real Envoy with the configuration that we render, a control plane that knows one backend, and that backend."""

import asyncio
import contextlib
import itertools
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import httpx
import prometheus_client
import pytest
import pytest_asyncio
from envoy.service.discovery.v3 import ads_pb2_grpc

import gateway
from deploy.native import certificates, components
from gateway import EdgeSettings, Files, Options, Ports
from mesh.contract import DESCRIPTORS, Contract
from mesh.control_plane.ads import AggregatedDiscovery
from mesh.control_plane.metrics import Metrics
from mesh.control_plane.publication import Publication, Publisher
from mesh.control_plane.retries import repeatable_methods
from mesh.control_plane.world import Health, Instance, Observation
from mesh.telemetry import get_logger
from tests.integration.gateway.backend import Backend
from tests.integration.gateway.tokens import AUDIENCE, ISSUER, bearer, token
from tests.integration.mesh.control_plane.processes import HOST, Process, eventually, free_ports, listens

USER_RATE = 60
STRICT_RATE = 5
FIGURES = (
    f"rates.DEFAULT.requests={USER_RATE}",
    f"rates.STRICT.requests={STRICT_RATE}",
    # Allowances come back little by little; no test is so slow that one does.
    "rates.DEFAULT.seconds=36_000",
    "rates.STRICT.seconds=36_000",
    "limits.max_body_bytes=100_000",
)
PEER_TOKEN = "the secret of this install"
# Otherwise the access log is written every ten seconds.
FLUSH = ("--file-flush-interval-msec", "100")
# Each test comes from somewhere else on the loopback network.
ADDRESSES = (f"127.0.1.{last}" for last in itertools.count(1))


@dataclass(frozen=True, slots=True)
class Edge:
    """A running Envoy: where it is, what it was given and what it wrote."""

    options: Options
    authority: Path
    log: Path
    backend: Backend

    @property
    def http(self) -> str:
        """The plain address."""
        return f"http://{HOST}:{self.options.ports.http}"

    @property
    def https(self) -> str:
        """The encrypted address."""
        return f"https://{HOST}:{self.options.ports.https}"

    @property
    def trust(self) -> ssl.SSLContext:
        """What believes in the install's own authority."""
        return ssl.create_default_context(cafile=self.authority)

    @property
    def target(self) -> str:
        """The plain address as gRPC wants it."""
        return f"{HOST}:{self.options.ports.http}"


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def edge(
    envoy_binary: Path, programs: components.Components, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Edge]:
    """Start Envoy before everything that it needs, as may happen."""
    folder = tmp_path_factory.mktemp("edge")
    pairs = certificates.ensure(folder / "tls")
    http, https, admin, keys, control_plane, services = free_ports(6)
    options = Options(
        contract=Contract.load(),
        settings=EdgeSettings.load(overrides=FIGURES),
        issuer=ISSUER,
        audience=AUDIENCE,
        ports=Ports(http=http, https=https, admin=admin, keys=keys),
        files=Files(
            certificate=pairs.edge.certificate,
            private_key=pairs.edge.key,
            descriptors=DESCRIPTORS,
            folder=folder / "edge",
        ),
        control_plane=(control_plane,),
        peer_token=PEER_TOKEN,
    )
    gateway.write(options, generator=programs.protoc_gen_openapi)
    backend = Backend(services)  # type: ignore[abstract] # what it leaves out is UNIMPLEMENTED
    edge = Edge(options, pairs.authority.certificate, folder / "envoy.log", backend)
    async with _envoy(envoy_binary, edge), _control_plane(control_plane, services):
        await edge.backend.start()
        await _checks_tokens(edge)
        yield edge
        await edge.backend.stop()


@contextlib.asynccontextmanager
async def _envoy(binary: Path, edge: Edge) -> AsyncIterator[None]:
    options = ("--concurrency", "1", "--disable-hot-restart", "--log-level", "warning", *FLUSH)
    envoy = await Process.start(edge.log, binary, "-c", edge.options.files.bootstrap, *options)
    try:
        await eventually(lambda: listens(edge.options.ports.http) or not envoy.running)
        assert envoy.running, edge.log.read_text()[-2000:]
        yield
    finally:
        await envoy.stop()


@contextlib.asynccontextmanager
async def _control_plane(port: int, services: int) -> AsyncIterator[None]:
    """Tell Envoy that every service is at one port."""
    publication, metrics = Publication(), Metrics(prometheus_client.CollectorRegistry())
    known = repeatable_methods(Contract.load())
    instance = Instance("one", HOST, services, "", "", Health.HEALTHY)
    Publisher(known, publication, metrics, get_logger("test")).tell(Observation(1, dict.fromkeys(known, (instance,))))
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    discovery = AggregatedDiscovery("test", publication, metrics, get_logger("test"))
    ads_pb2_grpc.add_AggregatedDiscoveryServiceServicer_to_server(discovery, server)
    server.add_insecure_port(f"{HOST}:{port}")
    await server.start()
    yield
    publication.end()
    await server.stop(1)


async def _checks_tokens(edge: Edge) -> None:
    """Wait until the edge has fetched the keys, which it does again and again until it has them."""
    headers = bearer(token("orders.read"))
    async with httpx.AsyncClient(base_url=edge.http) as http, asyncio.timeout(20):
        while (await http.get("/api/v1/orders/1", headers=headers)).is_error:  # noqa: ASYNC110 - Envoy fetches
            await asyncio.sleep(0.1)


@pytest_asyncio.fixture(loop_scope="package")
async def http(edge: Edge) -> AsyncIterator[httpx.AsyncClient]:
    """Speak REST to the edge, from an address of its own and so with an allowance of its own."""
    transport = httpx.AsyncHTTPTransport(local_address=next(ADDRESSES))
    async with httpx.AsyncClient(base_url=edge.http, transport=transport) as client:
        yield client
