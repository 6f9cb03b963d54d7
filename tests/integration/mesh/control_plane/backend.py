"""A gRPC server that stands for an instance of a service."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as health

from mesh.identity import Identity
from tests.integration.mesh.control_plane.consul import Consul
from tests.integration.mesh.control_plane.members import member
from tests.integration.mesh.control_plane.processes import HOST, free_ports


class Backend:
    """A server that answers every method with its name, or with the status it is told to."""

    def __init__(self, name: str, identity: Identity) -> None:
        """Prepare an instance; `identity` is that of its service."""
        self.name = name
        self.port = free_ports(1)[0]
        self.refusal: grpc.StatusCode | None = None
        self.hold = asyncio.Event()
        self.hold.set()
        self.calls = 0
        self.at_once = self.most_at_once = 0
        self._health = health.HealthServicer()
        self._server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
        self._server.add_generic_rpc_handlers((_AnyMethod(self._answer),))
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        self._server.add_secure_port(f"{HOST}:{self.port}", identity.server_credentials())

    async def start(self) -> None:
        """Listen, and be healthy."""
        await self._server.start()
        await self.say(healthy=True)

    async def stop(self, grace: float | None = 0.5) -> None:
        """Stop listening; without grace, calls under way are cut off as by a crash."""
        await self._server.stop(grace)

    async def say(self, *, healthy: bool) -> None:
        """Answer health checks."""
        statuses = health_pb2.HealthCheckResponse
        await self._health.set("", statuses.SERVING if healthy else statuses.NOT_SERVING)

    async def _answer(self, _request: bytes, context: Any) -> bytes:  # noqa: ANN401 - untyped in grpc.aio
        self.calls += 1
        self.at_once += 1
        self.most_at_once = max(self.at_once, self.most_at_once)
        try:
            await self.hold.wait()
        finally:
            self.at_once -= 1
        if self.refusal:
            await context.abort(self.refusal, "as told")
        return self.name.encode()


@contextlib.asynccontextmanager
async def instance(
    consul: Consul, name: str, service: str = "order", *, passing: bool = True, shows: str = "", **meta: str
) -> AsyncIterator[Backend]:
    """Run a registered instance, waiting for its check unless told otherwise; it leaves before it stops.

    `shows` is the service whose certificate it has, if that is another one.
    """
    async with member(consul, shows or service, consul.folder) as identity:
        server = Backend(name, identity)
        await server.start()
        await consul.register(service, name, server.port, **meta)
        try:
            if passing:
                await consul.passes(service, name)
            yield server
        finally:
            with contextlib.suppress(aiohttp.ClientError):  # A test may have ended Consul.
                await consul.deregister(name)
            await server.stop()


class _AnyMethod(grpc.GenericRpcHandler):
    """Hands every method but the health checks to one function."""

    def __init__(self, answer: Any) -> None:  # noqa: ANN401 - grpc's types know no asyncio here
        self._handler: Any = grpc.unary_unary_rpc_method_handler(answer)

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:  # noqa: ANN401 - as above
        foreign = "/grpc.health." in str(handler_call_details.method)
        return None if foreign else self._handler
