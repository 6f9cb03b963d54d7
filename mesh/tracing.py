"""Traces by OpenTelemetry's own gRPC instrumentation. Without a place to send spans to, only their context travels.

The latter by interceptors of our own: the instrumentation would begin a span, and end it, for nobody to see. An empty
call takes 331 µs of both sides' CPU with it, 234 with ours, 212 with neither.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import grpc
from opentelemetry import context, trace
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.grpc import aio_client_interceptors, aio_server_interceptor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased, Sampler, SamplingResult, TraceIdRatioBased
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import Attributes

from mesh.headers import TRACEPARENT
from mesh.settings import MeshSettings

_IDS = RandomIdGenerator()
_TRACE_CONTEXT = TraceContextTextMapPropagator()


def configure_tracing(settings: MeshSettings) -> TracerProvider:
    """Set up tracing for this process; call `shutdown()` on the result at the end."""
    provider = TracerProvider(sampler=_sampler(settings), resource=_resource(settings))
    if settings.otlp_endpoint:
        exporter = OTLPSpanExporter(endpoint=settings.otlp_endpoint, insecure=True)
        provider.add_span_processor(BatchSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    return provider


def sample(provider: TracerProvider, ratio: float) -> None:
    """Record this share of the traces that begin here, from now on; those begun elsewhere are as their caller said."""
    if isinstance(provider.sampler, _AdjustableSampler):
        provider.sampler.adjust(ratio)


def server_interceptor(provider: TracerProvider) -> grpc.aio.ServerInterceptor:
    """Return what continues, or begins, the trace of each call served."""
    if provider.sampler is ALWAYS_OFF:
        return _Continuing()
    interceptor: grpc.aio.ServerInterceptor = aio_server_interceptor(provider)  # type: ignore[no-untyped-call]
    return interceptor


def client_interceptors(provider: TracerProvider) -> tuple[grpc.aio.ClientInterceptor, ...]:
    """Return what hands the trace on with each call made."""
    if provider.sampler is ALWAYS_OFF:
        return (_HandingOn(),)
    return tuple(aio_client_interceptors(provider))  # type: ignore[no-untyped-call]


def traceparent() -> str:
    """Return the W3C traceparent of the present span; empty outside of one."""
    span = trace.get_current_span().get_span_context()
    if not span.is_valid:
        return ""
    return f"00-{span.trace_id:032x}-{span.span_id:016x}-{span.trace_flags:02x}"


class _AdjustableSampler(Sampler):
    """A sampler by ratio whose ratio may change."""

    def __init__(self, ratio: float) -> None:
        self.adjust(ratio)

    def adjust(self, ratio: float) -> None:
        """Let another ratio hold."""
        self._sampler = ParentBased(TraceIdRatioBased(ratio))

    def should_sample(  # noqa: PLR0913, PLR0917 - OpenTelemetry's own
        self,
        parent_context: context.Context | None,
        trace_id: int,
        name: str,
        kind: trace.SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[trace.Link] | None = None,
        trace_state: trace.TraceState | None = None,
    ) -> SamplingResult:
        """Decide as the ratio of now says."""
        return self._sampler.should_sample(parent_context, trace_id, name, kind, attributes, links, trace_state)

    def get_description(self) -> str:
        """Name it."""
        return "adjustable ratio"


class _Continuing(grpc.aio.ServerInterceptor):
    """Makes the caller's trace that of the call served, or begins one that nobody records."""

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:  # noqa: ANN401 - grpc's own handlers
        metadata = dict(handler_call_details.invocation_metadata or ())
        # gRPC serves each call in a task of its own, so what is set here ends with it.
        context.attach(_continued(str(metadata.get(TRACEPARENT, ""))))
        return await continuation(handler_call_details)


class _HandingOn(grpc.aio.UnaryUnaryClientInterceptor):
    """Tells the callee which trace the call belongs to."""

    async def intercept_unary_unary(
        self,
        continuation: Callable[[grpc.aio.ClientCallDetails, Any], Awaitable[Any]],
        client_call_details: grpc.aio.ClientCallDetails,
        request: object,
    ) -> Any:  # noqa: ANN401 - grpc's own calls
        if present := traceparent():
            client_call_details = grpc.aio.ClientCallDetails(
                client_call_details.method,
                client_call_details.timeout,
                grpc.aio.Metadata(*(client_call_details.metadata or ()), (TRACEPARENT, present)),
                client_call_details.credentials,
                client_call_details.wait_for_ready,
            )
        return await continuation(client_call_details, request)


def _continued(present: str) -> context.Context:
    if present:
        found = _TRACE_CONTEXT.extract({TRACEPARENT: present})
        if trace.get_current_span(found).get_span_context().is_valid:
            return found
    begun = trace.SpanContext(_IDS.generate_trace_id(), _IDS.generate_span_id(), is_remote=False)
    return trace.set_span_in_context(trace.NonRecordingSpan(begun))


def _sampler(settings: MeshSettings) -> Sampler:
    if not settings.otlp_endpoint:
        return ALWAYS_OFF
    return _AdjustableSampler(settings.trace_sample_ratio)


def _resource(settings: MeshSettings) -> Resource:
    return Resource.create(
        {
            "service.name": settings.service,
            "service.namespace": "ordermesh",
            "service.version": settings.version,
            "service.instance.id": settings.instance,
        }
    )
