"""What every call passes on its way to its method: room, identity, permission, validation, deadline.

One interceptor does all of it, because the order matters and each layer costs: nothing is validated for a caller who
may not call, and every outcome, whichever layer made it, leaves through the same door (mesh/visit.py).
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any, Self

import grpc
from google.protobuf.message import Message

from mesh import admission, context, errors, headers
from mesh.budget import Budget
from mesh.contract import Contract, MethodPolicy
from mesh.peers import Peers
from mesh.validation import validate
from mesh.visit import Visit

Method = Callable[[Any, Any], Any]
Handler = Any
"""grpc's RpcMethodHandler, whose types say less than what is used of it."""

OPEN_TO_ALL = ("/grpc.health.v1.Health/", "/grpc.reflection.", "/envoy.service.discovery.")
"""What Consul's checks and tools call, which tells no more than that the service is there and its public contract; and
what the control plane tells every member."""

RETRY_AFTER = timedelta(seconds=1)
END = object()


class Room:
    """Place for so many at once. Further ones are turned away while that costs nothing, lest all become late."""

    def __init__(self, most: int, what: str) -> None:
        """`what` they are, for the refusal."""
        self._most = most
        self._what = what
        self._inside = 0

    def __enter__(self) -> Self:
        """Raise ResourceExhausted when there is no room."""
        if self._inside >= self._most:
            message = f"too many {self._what} at once; send it again a little later"
            raise errors.ResourceExhausted(message, reason="OVERLOADED", retry_after=RETRY_AFTER)
        self._inside += 1
        return self

    def __exit__(self, *_: object) -> None:
        """Make room."""
        self._inside -= 1


class Gate(grpc.aio.ServerInterceptor):
    """Admits calls as their contract says. A method without a contract of ours is refused, but for OPEN_TO_ALL."""

    def __init__(self, contract: Contract, peers: Peers, most_calls: int, most_streams: int = 512) -> None:
        """`peers` knows who calls. Streams of answers are counted apart: they last, and mostly wait."""
        self._contract = contract
        self._peers = peers
        self._calls = Room(most_calls, "calls")
        self._streams = Room(most_streams, "streams")
        self._retries = Budget()
        self._waiting: set[asyncio.Timeout] = set()
        self._draining = False
        self._guarded: dict[str, Handler] = {}

    async def intercept_service(
        self, continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler]], details: grpc.HandlerCallDetails
    ) -> Handler:
        """Put the gate before a method."""
        method = details.method
        if method not in self._guarded:
            handler = await continuation(details)
            if handler is None or method.startswith(OPEN_TO_ALL):
                return handler
            self._guarded[method] = self._guard(method, handler)
        return self._guarded[method]

    def drain(self) -> None:
        """End the streams, and let no new one begin: whoever watches comes back, to another instance."""
        self._draining = True
        now = asyncio.get_running_loop().time()
        for limit in self._waiting:
            if not limit.expired():
                limit.reschedule(now)

    def _guard(self, name: str, handler: Handler) -> Handler:
        kind = f"{_arity(handler.request_streaming)}_{_arity(handler.response_streaming)}"
        method: Method = getattr(handler, kind)

        async def answer(request: object, servicer_context: object) -> object:
            async with Visit(servicer_context, name, self._retries) as visit:
                with self._calls:
                    policy, call = self._admitted(name, servicer_context, visit)
                    asked = _validated(request)
                    limit = asyncio.timeout(call.remaining())
                    return await _within(limit, method(asked, servicer_context), policy)

        async def stream(request: object, servicer_context: object) -> AsyncIterator[object]:
            async with Visit(servicer_context, name, self._retries) as visit:
                with self._streams:
                    policy, call = self._admitted(name, servicer_context, visit)
                    async with contextlib.aclosing(method(_validated(request), servicer_context)) as answers:
                        while (each := await self._next(answers, policy, call)) is not END:
                            yield each

        make = getattr(grpc, f"{kind}_rpc_method_handler")
        return make(
            stream if handler.response_streaming else answer,
            request_deserializer=handler.request_deserializer,
            response_serializer=handler.response_serializer,
        )

    def _admitted(
        self,
        name: str,
        servicer_context: Any,  # noqa: ANN401 - grpc.aio's own, which other interceptors wrap
        visit: Visit,
    ) -> tuple[MethodPolicy, context.Call]:
        policy = self._contract.method(name)
        if policy is None:
            raise errors.Unimplemented(f"{name} is in no contract", reason="METHOD_UNKNOWN")
        claims = visit.metadata.get(headers.CLAIMS, "")
        peer = self._peers.caller_of(servicer_context, name, for_user=headers.CLAIMS in visit.metadata)
        caller = admission.admit(policy, peer, claims)
        left = servicer_context.time_remaining()
        if left is not None and left <= 0:
            raise errors.DeadlineExceeded("the time was up before the call was begun", reason="DEADLINE_EXCEEDED")
        limit = policy.deadline.total_seconds()
        return policy, visit.admitted(caller, limit if left is None else min(limit, left), claims)

    async def _next(self, answers: AsyncIterator[object], policy: MethodPolicy, call: context.Call) -> object:
        """Wait for a stream's next answer; END after the last. The contract's deadline is the life of the whole."""
        self._require_open()
        limit = asyncio.timeout(call.remaining())
        self._waiting.add(limit)
        try:
            if not call.remaining():
                raise _late(policy)
            return await _within(limit, anext(answers, END), policy)
        except errors.DeadlineExceeded:
            self._require_open()
            raise
        finally:
            self._waiting.discard(limit)

    def _require_open(self) -> None:
        if self._draining:
            raise errors.Unavailable("this instance is about to stop; begin again with another", reason="DRAINING")


def _arity(streaming: bool) -> str:  # noqa: FBT001 - one half of a kind's name
    return "stream" if streaming else "unary"


def _validated(request: Any) -> Any:  # noqa: ANN401 - a message, or a stream of them
    """Hold a request to its contract; those of a stream as they come."""
    if isinstance(request, Message):
        validate(request)
        return request
    return _each_validated(request)


async def _each_validated(requests: AsyncIterator[Message]) -> AsyncIterator[Message]:
    async for each in requests:
        validate(each)
        yield each


async def _within(limit: asyncio.Timeout, answer: Awaitable[object], policy: MethodPolicy) -> object:
    """Wait for an answer; when the time is up the method is stopped, and its transaction with it."""
    try:
        async with limit:
            return await answer
    except TimeoutError:
        if not limit.expired():
            raise
        raise _late(policy) from None


def _late(policy: MethodPolicy) -> errors.DeadlineExceeded:
    message = f"no answer within {policy.deadline.total_seconds():g} s"
    return errors.DeadlineExceeded(message, reason="DEADLINE_EXCEEDED")
