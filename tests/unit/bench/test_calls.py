"""Calls are counted by their status, and targets take turns."""

import itertools
import os

import grpc
import pytest

from bench import calls
from bench.calls import Target, asking
from bench.load import OK
from mesh import errors


async def test_a_call_that_is_answered_is_good() -> None:
    """Whatever the answer is."""

    async def call() -> None:
        pass

    assert await asking(call)(0) == OK


async def test_a_bare_error_is_counted_by_its_code() -> None:
    """As the echo's channel raises it."""

    async def call() -> None:
        nothing = grpc.aio.Metadata()
        raise grpc.aio.AioRpcError(grpc.StatusCode.UNAVAILABLE, nothing, nothing)

    assert await asking(call)(0) == "UNAVAILABLE"


async def test_a_refusal_is_counted_with_its_reason() -> None:
    """As the mesh's client raises it."""

    async def call() -> None:
        raise errors.ResourceExhausted("no", reason="RATE_LIMITED")

    assert await asking(call)(0) == "RESOURCE_EXHAUSTED RATE_LIMITED"


async def test_targets_take_turns_at_each_number_of_callers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that slows down is unjust to none."""
    monkeypatch.setattr(calls, "WARM_UP_S", 0.0)

    called: list[str] = []

    def target(name: str) -> Target:
        async def call() -> None:
            called.append(name)

        return Target(name, call, os.getpid())

    found = await calls.compare([target("echo"), target("order")], (1, 2), seconds=0.5)
    assert [(each.target, each.clients) for each in found] == [("echo", 1), ("order", 1), ("echo", 2), ("order", 2)]
    assert all(each.outcome.good for each in found)
    assert [name for name, _ in itertools.groupby(called)] == ["echo", "order"] * 2 * calls.TURNS
