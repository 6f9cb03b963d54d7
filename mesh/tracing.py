"""Traces by OpenTelemetry's own gRPC instrumentation. Without a place to send spans to, only their context travels."""

import grpc
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.grpc import aio_client_interceptors, aio_server_interceptor
from opentelemetry.propagate import inject
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased, Sampler, TraceIdRatioBased

from mesh.headers import TRACEPARENT
from mesh.settings import MeshSettings


def configure_tracing(settings: MeshSettings) -> TracerProvider:
    """Set up tracing for this process; call `shutdown()` on the result at the end."""
    provider = TracerProvider(sampler=_sampler(settings), resource=_resource(settings))
    if settings.otlp_endpoint:
        exporter = OTLPSpanExporter(endpoint=settings.otlp_endpoint, insecure=True)
        provider.add_span_processor(BatchSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    return provider


def server_interceptor(provider: TracerProvider) -> grpc.aio.ServerInterceptor:
    """Return what continues, or begins, the trace of each call served."""
    interceptor: grpc.aio.ServerInterceptor = aio_server_interceptor(provider)  # type: ignore[no-untyped-call]
    return interceptor


def client_interceptors(provider: TracerProvider) -> tuple[grpc.aio.ClientInterceptor, ...]:
    """Return what hands the trace on with each call made."""
    return tuple(aio_client_interceptors(provider))  # type: ignore[no-untyped-call]


def traceparent() -> str:
    """Return the W3C traceparent of the present span; empty outside of one."""
    carrier: dict[str, str] = {}
    inject(carrier)
    return carrier.get(TRACEPARENT, "")


def _sampler(settings: MeshSettings) -> Sampler:
    if not settings.otlp_endpoint:
        return ALWAYS_OFF
    return ParentBased(TraceIdRatioBased(settings.trace_sample_ratio))


def _resource(settings: MeshSettings) -> Resource:
    return Resource.create(
        {
            "service.name": settings.service,
            "service.namespace": "ordermesh",
            "service.version": settings.version,
            "service.instance.id": settings.instance,
        }
    )
