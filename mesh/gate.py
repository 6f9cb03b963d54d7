"""What every call passes on its way to its method: identity, permission, validation, deadline; and what is kept of it.

One interceptor does all of it, because the order matters and each layer costs: nothing is validated for a caller who
may not call, and every outcome, whichever layer made it, leaves through the same door.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import timedelta
from typing import Any, NoReturn, Self

import grpc
from google.protobuf.message import Message
from grpc_interceptor.server import AsyncServerInterceptor

from mesh import admission, context, errors, headers, metrics, status
from mesh.contract import Contract, MethodPolicy
from mesh.peers import Peers
from mesh.telemetry import get_logger
from mesh.tracing import traceparent
from mesh.validation import validate

_log = get_logger("rpc")

Metadata = dict[str, str]
Method = Callable[[Any, Any], Any]

OPEN_TO_ALL = ("/grpc.health.v1.Health/", "/grpc.reflection.")
"""What Consul's checks and tools call; they tell no more than that the service is there and its public contract."""

RETRY_AFTER = timedelta(seconds=1)

LONGEST_REQUEST_ID = 128
"""Every reply, log line and event repeats it."""


class Gate(AsyncServerInterceptor):
    """Admits calls as their contract says. A method without a contract of ours is refused, but for OPEN_TO_ALL."""

    def __init__(self, contract: Contract, peers: Peers, most_at_once: int) -> None:
        """`peers` knows who calls. Beyond `most_at_once` calls, further ones are turned away at once."""
        self._contract = contract
        self._peers = peers
        self._most_at_once = most_at_once
        self._at_once = 0

    async def intercept(
        self,
        method: Method,
        request_or_iterator: Any,  # noqa: ANN401 - a message, or a stream of them
        context: Any,  # noqa: ANN401 - grpc.aio's own, which other interceptors wrap
        method_name: str,
    ) -> Any:  # noqa: ANN401 - whatever the method answers
        """Serve one call."""
        if method_name.startswith(OPEN_TO_ALL):
            return await _pass_through(method, request_or_iterator, context)
        visit = Visit(context, method_name)
        with visit, self._counted():
            try:
                self._require_room()
                policy = self._policy(method_name)
                call = self._admitted(policy, request_or_iterator, context, visit)
                return await _answer(method, request_or_iterator, context, call, policy)
            except errors.Error as error:
                await visit.refuse(error)
            except (asyncio.CancelledError, grpc.aio.AbortError):
                raise
            except Exception:  # noqa: BLE001 - the last door: what a defect says goes to the log, never to a caller
                await visit.fail()

    @contextlib.contextmanager
    def _counted(self) -> Iterator[None]:
        self._at_once += 1
        try:
            yield
        finally:
            self._at_once -= 1

    def _require_room(self) -> None:
        """Turn a call away while it costs nothing, rather than let all of them become late."""
        if self._at_once > self._most_at_once:
            raise errors.ResourceExhausted(
                "too many calls at once; send it again a little later", reason="OVERLOADED", retry_after=RETRY_AFTER
            )

    def _policy(self, method_name: str) -> MethodPolicy:
        policy = self._contract.method(method_name)
        if policy is None:
            raise errors.Unimplemented(f"{method_name} is in no contract", reason="METHOD_UNKNOWN")
        return policy

    def _admitted(
        self,
        policy: MethodPolicy,
        request: object,
        servicer_context: Any,  # noqa: ANN401 - as above
        visit: "Visit",
    ) -> context.Call:
        metadata = visit.metadata
        peer = self._peers.caller_of(servicer_context, policy.full_name)
        claims = metadata.get(headers.CLAIMS, "")
        caller = admission.admit(policy, peer, claims)
        left = servicer_context.time_remaining()
        if left is not None and left <= 0:
            raise errors.DeadlineExceeded("the time was up before the call was begun", reason="DEADLINE_EXCEEDED")
        limit = policy.deadline.total_seconds()
        call = visit.begin(caller, time.monotonic() + (limit if left is None else min(limit, left)), claims)
        if isinstance(request, Message):
            validate(request)
        return call


class Visit:
    """One call from its arrival to its answer: its metadata, its place in the context, its metrics and log line."""

    def __init__(self, servicer_context: Any, method: str) -> None:  # noqa: ANN401 - grpc.aio's own, untyped here
        self._context = servicer_context
        self._method = method.removeprefix("/")
        self._begun = time.perf_counter()
        self._code = "OK"
        self._reason = ""
        self.metadata: Metadata = {
            key: value for key, value in servicer_context.invocation_metadata() or () if isinstance(value, str)
        }
        self._request_id = self.metadata.get(headers.REQUEST_ID, "")[:LONGEST_REQUEST_ID] or context.new_request_id()
        self._call = context.Call(self._request_id, context.Caller())

    def __enter__(self) -> Self:
        metrics.serving(self._method).inc()
        # gRPC serves each call in a task of its own, so what is set here ends with it.
        context.enter(self._call)
        self._context.set_trailing_metadata(((headers.REQUEST_ID, self._request_id),))
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None and issubclass(kind, asyncio.CancelledError):
            self._code = "CANCELLED"
        took = time.perf_counter() - self._begun
        metrics.serving(self._method).dec()
        metrics.served(self._method, self._code).observe(took)
        _log.info(
            "call served",
            rpc_method=self._method,
            code=self._code,
            reason=self._reason,
            peer=self._call.caller.peer,
            duration_ms=round(took * 1000, 2),
        )

    def begin(self, caller: context.Caller, deadline: float, claims: str) -> context.Call:
        """Make the call the current one, now that its caller is known."""
        self._call = context.Call(
            request_id=self._request_id,
            caller=caller,
            deadline=deadline,
            idempotency_key=self.metadata.get(headers.IDEMPOTENCY_KEY),
            method=self._method,
            claims=claims,
            traceparent=traceparent(),
        )
        context.enter(self._call)
        return self._call

    async def refuse(self, error: errors.Error) -> NoReturn:
        """Answer with an error."""
        self._code, self._reason = error.code, error.reason
        trailers = (
            (headers.REQUEST_ID, self._request_id),
            (status.DETAILS_KEY, status.details_of(error, self._request_id)),
        )
        await self._context.abort(status.grpc_code(error), status.shortened(error.message), trailers)
        raise AssertionError  # abort() never returns

    async def fail(self) -> NoReturn:
        """Answer that it is our fault, and log what it was."""
        _log.exception("a method failed", rpc_method=self._method)
        await self.refuse(
            errors.Internal(f"something went wrong here; quote request {self._request_id}", reason="INTERNAL")
        )


async def _pass_through(method: Method, request: object, servicer_context: object) -> object:
    answer = method(request, servicer_context)
    return answer if hasattr(answer, "__aiter__") else await answer


async def _answer(
    method: Method, request: object, servicer_context: object, call: context.Call, policy: MethodPolicy
) -> object:
    """Call the method; when the time is up it is stopped, and its transaction with it."""
    answer: Awaitable[object] | AsyncIterator[object] = method(request, servicer_context)
    if not isinstance(answer, Awaitable):
        return answer
    try:
        async with asyncio.timeout(call.remaining()) as limit:
            return await answer
    except TimeoutError:
        if not limit.expired():
            raise
        raise errors.DeadlineExceeded(
            f"no answer within {policy.deadline.total_seconds():g} s", reason="DEADLINE_EXCEEDED"
        ) from None
