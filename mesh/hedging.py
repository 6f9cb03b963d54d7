"""A second call when the first is late, of methods whose contract allows it: the answer that comes first is taken."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import grpc

from mesh import metrics
from mesh.budget import Budget
from mesh.contract import MethodPolicy

FIRST, SECOND, NONE = "first", "second", "none"
Attempt = asyncio.Task[Any]


class Hedged:
    """A stub's method, called like itself. The call that isn't needed any more is cancelled."""

    def __init__(self, call: Callable[..., Awaitable[Any]], policy: MethodPolicy, budget: Budget) -> None:
        """`budget` is shared by all methods of a service, so that one that is slow as a whole isn't asked double."""
        if policy.hedge_delay is None:
            message = f"the contract of {policy.full_name} has no hedge_delay"
            raise ValueError(message)
        self._call = call
        self._delay = policy.hedge_delay.total_seconds()
        self._budget = budget
        self._name = policy.full_name.removeprefix("/")

    async def __call__(self, request: Any, **options: Any) -> Any:  # noqa: ANN401 - as the stub's own
        """Ask, and once more after the delay."""
        self._budget.count()
        first = asyncio.ensure_future(self._call(request, **options))
        attempts = [first]
        try:
            await asyncio.wait(attempts, timeout=self._delay)
            if not first.done() and self._affordable():
                attempts.append(asyncio.ensure_future(self._call(request, **self._later(options))))
            answered = await _first_good(attempts)
            if len(attempts) > 1:
                metrics.HEDGES.labels(self._name, FIRST if answered is first else SECOND).inc()
            return answered.result()
        finally:
            for each in attempts:
                each.cancel()

    def _affordable(self) -> bool:
        if self._budget.take():
            return True
        metrics.HEDGES.labels(self._name, NONE).inc()
        return False

    def _later(self, options: dict[str, Any]) -> dict[str, Any]:
        return {**options, "timeout": max(options["timeout"] - self._delay, 0.0)}


async def _first_good(attempts: list[Attempt]) -> Attempt:
    """Wait for the first that settles the matter, or else the last: an instance that is gone settles nothing."""
    pending = set(attempts)
    while True:
        done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        settled = [each for each in done if not _is_gone(each)]
        if settled or not pending:
            return (settled or list(done))[0]


def _is_gone(attempt: Attempt) -> bool:
    failure = attempt.exception()
    return isinstance(failure, grpc.aio.AioRpcError) and failure.code() is grpc.StatusCode.UNAVAILABLE
