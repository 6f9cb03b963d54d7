"""The context of a trace travels from call to call also when nothing is recorded."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import grpc
import pytest_asyncio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from mesh import context, tracing
from mesh.settings import MeshSettings

CALLERS = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
TRACE = slice(3, 35)


@dataclass
class Hop(health_pb2_grpc.HealthServicer):
    """Notes its trace, and calls on once."""

    seen: list[str] = field(default_factory=list)
    next: Any = None

    async def Check(  # noqa: N802 - as the contract has it
        self,
        request: health_pb2.HealthCheckRequest,
        servicer_context: Any,  # noqa: ANN401
    ) -> health_pb2.HealthCheckResponse:
        """Serve one call, as the gate does."""
        came = dict(servicer_context.invocation_metadata()).get("traceparent", "")
        context.enter(context.Call("r1", context.NOBODY, traceparent=tracing.going_on_with(came)))
        self.seen.append(tracing.traceparent())
        if len(self.seen) % 2 and self.next is not None:
            await self.next.Check(request, metadata=(("traceparent", tracing.traceparent()),))
        return health_pb2.HealthCheckResponse()


@pytest_asyncio.fixture
async def hop() -> AsyncIterator[Hop]:
    """Run a server that calls itself, with nowhere to send spans to."""
    provider = tracing.configure_tracing(MeshSettings(service="test", port=1, metrics_port=2))
    servicer, server = Hop(), grpc.aio.server(interceptors=tracing.server_interceptors(provider))
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    async with grpc.aio.insecure_channel(address, interceptors=tracing.client_interceptors(provider)) as channel:
        servicer.next = health_pb2_grpc.HealthStub(channel)
        yield servicer
    await server.stop(None)


async def test_a_callers_trace_goes_on(hop: Hop) -> None:
    """What a caller began is told to whoever is called next."""
    await hop.next.Check(health_pb2.HealthCheckRequest(), metadata=(("traceparent", CALLERS),))
    assert [each[TRACE] for each in hop.seen] == [CALLERS[TRACE]] * 2


async def test_a_trace_is_begun_where_there_is_none_or_none_that_can_be_read(hop: Hop) -> None:
    """Both calls of a request have the same one, those of another request another."""
    await hop.next.Check(health_pb2.HealthCheckRequest())
    await hop.next.Check(health_pb2.HealthCheckRequest(), metadata=(("traceparent", "nonsense"),))
    first, then, other, later = (each[TRACE] for each in hop.seen)
    assert first == then
    assert other == later
    assert first != other


def test_the_share_of_traces_that_are_recorded_may_change() -> None:
    """Tracers that are in use follow; without a place to send spans to there is nothing to change."""
    told = MeshSettings(service="test", port=1, metrics_port=2, otlp_endpoint="127.0.0.1:1", trace_sample_ratio=0)
    provider = tracing.configure_tracing(told)
    try:
        tracer = provider.get_tracer("test")
        assert not tracer.start_span("before").is_recording()
        tracing.sample(provider, 1)
        assert tracer.start_span("after").is_recording()
    finally:
        provider.shutdown()
    silent = tracing.configure_tracing(MeshSettings(service="test", port=1, metrics_port=2))
    tracing.sample(silent, 1)
    assert not silent.get_tracer("test").start_span("any").is_recording()
