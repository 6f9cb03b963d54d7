"""One call from its arrival to its end: its metadata, its place in the context, its metrics, its line in the log.

Whatever goes wrong inside leaves through the same door, as google.rpc.Status, also in the middle of a stream.

gRPC's own retries, which the contract allows, are bounded here: xDS has no word for their budget, but whoever is in
trouble can tell callers not to try again (gRFC A6), in whatever language they are written.
"""

import asyncio
import time
from types import TracebackType
from typing import Any, NoReturn, Self

import grpc

from mesh import context, errors, headers, metrics, status
from mesh.budget import Budget
from mesh.telemetry import get_logger
from mesh.tracing import going_on_with

_log = get_logger("rpc")

Metadata = dict[str, str]

NEVER_AGAIN = (headers.RETRY_PUSHBACK, "-1")
RETRIED = (errors.Unavailable, errors.Cancelled)
"""What gRPC tries again (mesh/control_plane), where the contract allows it."""

LONGEST_REQUEST_ID = 128
"""Every reply, log line and event repeats it."""


class Visit:
    """A call inside this process. An error that leaves it is told to the caller; what a defect says is only logged."""

    def __init__(self, servicer_context: Any, method: str, retries: Budget) -> None:  # noqa: ANN401 - grpc.aio's own
        """`method` is the gRPC path; `retries` are what callers may try again of all that they ask of this process."""
        self._context = servicer_context
        self._retries = retries
        self._method = method.removeprefix("/")
        self._begun = time.perf_counter()
        self._code = "OK"
        self._reason = ""
        self.metadata: Metadata = {
            key: value for key, value in servicer_context.invocation_metadata() or () if isinstance(value, str)
        }
        self._request_id = self.metadata.get(headers.REQUEST_ID, "")[:LONGEST_REQUEST_ID] or context.new_request_id()
        self._traceparent = going_on_with(self.metadata.get(headers.TRACEPARENT, ""))
        self._call = context.Call(self._request_id, context.NOBODY, traceparent=self._traceparent)

    async def __aenter__(self) -> Self:
        """Begin; gRPC serves each call in a task of its own, so what is set here ends with it."""
        metrics.serving(self._method).inc()
        context.enter(self._call)
        self._context.set_trailing_metadata(((headers.REQUEST_ID, self._request_id),))
        if headers.PREVIOUS_ATTEMPTS not in self.metadata:
            self._retries.count()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Answer what went wrong, and write down how it ended."""
        try:
            if isinstance(error, errors.Error):
                await self._refuse(error)
            elif isinstance(error, Exception) and not isinstance(error, grpc.aio.AbortError):
                await self._fail(error)
            elif isinstance(error, (asyncio.CancelledError, GeneratorExit)):
                self._code = "CANCELLED"
        finally:
            self._end()

    def admitted(self, caller: context.Caller, seconds: float, claims: str) -> context.Call:
        """Make the call the current one, now that its caller is known, and how many seconds it may take."""
        self._call = context.Call(
            request_id=self._request_id,
            caller=caller,
            deadline=time.monotonic() + seconds,
            idempotency_key=self.metadata.get(headers.IDEMPOTENCY_KEY),
            method=self._method,
            claims=claims,
            traceparent=self._traceparent,
            if_match=self.metadata.get(headers.IF_MATCH),
        )
        context.enter(self._call)
        return self._call

    def _end(self) -> None:
        context.enter(self._call)  # A stream that its caller left is ended by a task of asyncio's own.
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

    async def _refuse(self, error: errors.Error) -> NoReturn:
        self._code, self._reason = error.code, error.reason
        trailers: tuple[tuple[str, str | bytes], ...] = (
            (headers.REQUEST_ID, self._request_id),
            (status.DETAILS_KEY, status.details_of(error, self._request_id)),
        )
        if isinstance(error, RETRIED) and not self._retries.take():
            metrics.RETRIES_REFUSED.inc()
            trailers = (*trailers, NEVER_AGAIN)
        await self._context.abort(status.grpc_code(error), status.shortened(error.message), trailers)
        raise AssertionError  # abort() never returns

    async def _fail(self, defect: Exception) -> NoReturn:
        _log.error("a method failed", rpc_method=self._method, exc_info=defect)
        await self._refuse(
            errors.Internal(f"something went wrong here; quote request {self._request_id}", reason="INTERNAL")
        )
