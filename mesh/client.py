"""Calling another service by its contract: deadline, identity and errors of each call, around grpc's own xDS channel.

Which instance answers, retries and ejection are the channel's business (mesh/control_plane). Ours are deadlines,
because xDS timeouts fire early in grpc's C-core (grpc#40633), and hedges, which xDS has no word for.
"""

import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, TypeVar, cast

import grpc
from google.protobuf.message import Message

from mesh import context, errors, headers, metrics, status
from mesh.budget import Budget
from mesh.contract import Contract, MethodPolicy
from mesh.hedging import Hedged
from mesh.tracing import traceparent

Stub = TypeVar("Stub")
Interceptors = tuple[grpc.aio.ClientInterceptor, ...]
Metadata = tuple[tuple[str, str], ...]
Dial = Callable[[str, Interceptors], grpc.aio.Channel]

OPTIONS = (
    # Each side may send a header of up to 16 KiB: errors carry details.
    ("grpc.max_metadata_size", 16 * 1024),
    # An instance that hangs while calls wait for it loses its connection after 2.5 s: those that may be repeated are,
    # elsewhere, and no new ones go there. Where answers come, no ping is sent.
    ("grpc.keepalive_time_ms", 1_000),
    ("grpc.keepalive_timeout_ms", 1_500),
    # gRPC's own pings, which measure bandwidth, hold up those of keepalive, and may else take a minute.
    ("grpc.http2.ping_timeout_ms", 1_500),
    ("grpc.http2.max_pings_without_data", 0),
)


def by_xds(domain: str, interceptors: Interceptors) -> grpc.aio.Channel:
    """Have the control plane say who serves a domain, and whose certificate to expect there."""
    return grpc.aio.secure_channel(
        f"xds:///{domain}", grpc.xds_channel_credentials(), options=OPTIONS, interceptors=interceptors
    )


class Clients:
    """One channel to each service, shared by all who call it."""

    def __init__(self, contract: Contract, interceptors: Interceptors = (), dial: Dial = by_xds) -> None:
        """`dial` opens a channel to a domain."""
        self._contract = contract
        self._interceptors = interceptors
        self._dial = dial
        self._channels: dict[str, grpc.aio.Channel] = {}
        self._hedges: dict[str, Budget] = {}

    def client(self, stub: Callable[[grpc.aio.Channel], Stub], service: str, *, as_service: bool = False) -> Stub:
        """Return what looks like the stub, with each method held to its contract.

        Calls act for the end user who is being served, unless `as_service`. They raise mesh.errors.
        """
        methods = {policy.method: policy for policy in self._contract.methods if policy.service == service}
        if not methods:
            message = f"no contract has a service {service}"
            raise LookupError(message)
        domain = next(iter(methods.values())).domain
        inner = stub(self._channel(domain))
        hedges = self._hedges.setdefault(domain, Budget())
        return cast("Stub", _Client(inner, methods, hedges, as_service=as_service))

    async def close(self) -> None:
        """Close every channel."""
        for channel in self._channels.values():
            await channel.close()

    def _channel(self, domain: str) -> grpc.aio.Channel:
        if domain not in self._channels:
            self._channels[domain] = self._dial(domain, self._interceptors)
        return self._channels[domain]


class _Client:
    """The methods of one service."""

    def __init__(self, stub: object, methods: dict[str, MethodPolicy], hedges: Budget, *, as_service: bool) -> None:
        for name, policy in methods.items():
            call = getattr(stub, name)
            if policy.server_streaming:
                setattr(self, name, _Stream(call, policy, as_service=as_service))
            else:
                ask = Hedged(call, policy, hedges) if policy.hedge_delay else call
                setattr(self, name, _Method(ask, policy, as_service=as_service))


class _Calling:
    """What each call of a method takes along, and what is kept of it."""

    def __init__(self, call: Callable[..., Any], policy: MethodPolicy, *, as_service: bool) -> None:
        self._call = call
        self._policy = policy
        self._limit = policy.deadline.total_seconds()
        self._as_service = as_service
        self._name = policy.full_name.removeprefix("/")

    @contextlib.contextmanager
    def _counted(self) -> Iterator[None]:
        """Raise mesh.errors for gRPC's own, and count how it ended."""
        begun = time.perf_counter()
        code = "CANCELLED"
        try:
            yield
            code = "OK"
        except errors.Error as failure:
            code = failure.code
            raise
        except grpc.aio.AioRpcError as failure:
            code = failure.code().name
            raise status.error_from(failure) from failure
        finally:
            metrics.made(self._name, code).observe(time.perf_counter() - begun)

    def _time(self, timeout: float | None) -> float:
        left = min(each for each in (self._limit, timeout, context.current().remaining()) if each is not None)
        if left <= 0:
            raise errors.DeadlineExceeded(f"no time left to call {self._name}", reason="DEADLINE_EXCEEDED")
        return left

    def _metadata(self) -> Metadata:
        call = context.current()
        found = [(headers.REQUEST_ID, call.request_id or context.new_request_id())]
        if call.claims and not self._as_service:
            found.append((headers.CLAIMS, call.claims))
        if trace := traceparent():
            found.append((headers.TRACEPARENT, trace))
        return tuple(found)


class _Method(_Calling):
    """A method with one answer, called like the stub's own."""

    async def __call__(self, request: Message, *, timeout: float | None = None) -> Any:  # noqa: ANN401, ASYNC109
        """Call, within the contract's deadline, what is left of the caller's, and `timeout`."""
        with self._counted():
            return await self._call(request, timeout=self._time(timeout), metadata=self._metadata())


class _Stream(_Calling):
    """A method that answers with a stream, called like the stub's own: `async for answer in client.Watch(…)`."""

    async def __call__(self, request: Message, *, timeout: float | None = None) -> AsyncIterator[Any]:  # noqa: ASYNC109
        """Give each answer; the deadlines of `_Method` bound the whole. A stream that is left early is cancelled."""
        with self._counted():
            call = self._call(request, timeout=self._time(timeout), metadata=self._metadata())
            try:
                async for answer in call:
                    yield answer
            finally:
                call.cancel()
