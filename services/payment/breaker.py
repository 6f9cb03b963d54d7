"""Leaves a gateway alone for a while that doesn't answer: a circuit breaker for each, with a bound on every wait."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final, TypeVar

from prometheus_client import Gauge, Histogram

from services.common.money import Money
from services.payment.adapters.gateway import (
    Approved,
    Declined,
    Done,
    Gateway,
    GatewayDownError,
    GatewayUnreachableError,
    Movement,
    Refused,
)

T = TypeVar("T")

_SECONDS: Final = (0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0)
CALLS = Histogram(
    "ordermesh_payment_gateway_seconds",
    "Calls to payment gateways: answered, down (surely not done) or unknown (no answer).",
    ("gateway", "call", "outcome"),
    buckets=_SECONDS,
)
OPEN = Gauge(
    "ordermesh_payment_gateway_open", "1 while the gateway is left alone because it doesn't answer.", ("gateway",)
)


class Breaker:
    """Opens after `failures` in a row; once `rest` is over one call at a time may find out whether it is back."""

    def __init__(self, failures: int, rest: timedelta, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` counts seconds."""
        self._most = failures
        self._rest = rest.total_seconds()
        self._clock = clock
        self._failures = 0
        self._closed_until = 0.0
        self._trying = False

    @property
    def allows(self) -> bool:
        """Whether a call may be made now."""
        if self._failures < self._most:
            return True
        return not self._trying and self._clock() >= self._closed_until

    @property
    def open(self) -> bool:
        """Whether it has had enough."""
        return self._failures >= self._most

    def begin(self) -> None:
        """A call is made."""
        self._trying = True

    def end(self, *, answered: bool | None) -> None:
        """It ended; None when whoever made it went away, which tells nothing."""
        self._trying = False
        if answered:
            self._failures = 0
        elif answered is False:
            self._failures += 1
            self._closed_until = self._clock() + self._rest


class Guarded:
    """A gateway behind its breaker, as a Gateway. No call takes longer than `patience`."""

    def __init__(self, gateway: Gateway, breaker: Breaker, patience: timedelta) -> None:
        """`patience`: how long to wait for an answer before asking what it did."""
        self.name = gateway.name
        self.captures_once = gateway.captures_once
        self._gateway = gateway
        self._breaker = breaker
        self._patience = patience.total_seconds()

    @property
    def available(self) -> bool:
        """Whether it is worth asking."""
        return self._breaker.allows

    async def authorize(self, key: str, amount: Money, token: str) -> Approved | Declined:
        """Hold the amount."""
        return await self._call("authorize", lambda: self._gateway.authorize(key, amount, token))

    async def find(self, key: str, amount: Money, token: str | None) -> Approved | Declined | None:
        """Say what became of it."""
        return await self._call("find", lambda: self._gateway.find(key, amount, token))

    async def cancel(self, key: str, reference: str) -> None:
        """Hold nothing."""
        await self._call("cancel", lambda: self._gateway.cancel(key, reference))

    async def capture(self, movement: Movement) -> Done | Refused:
        """Take an amount."""
        return await self._call("capture", lambda: self._gateway.capture(movement))

    async def release(self, movement: Movement) -> Done | Refused:
        """Give up the rest."""
        return await self._call("release", lambda: self._gateway.release(movement))

    async def refund(self, movement: Movement) -> Done | Refused:
        """Give an amount back."""
        return await self._call("refund", lambda: self._gateway.refund(movement))

    async def close(self) -> None:
        """Let go of connections."""
        await self._gateway.close()

    async def _call(self, call: str, ask: Callable[[], Awaitable[T]]) -> T:
        if not self._breaker.allows:
            raise GatewayDownError(f"{self.name} has not answered for a while and is left alone")
        begun = time.perf_counter()
        answered: bool | None = None
        outcome = "abandoned"
        self._breaker.begin()
        try:
            async with asyncio.timeout(self._patience):
                answer = await ask()
        except GatewayDownError:
            answered, outcome = False, "down"
            raise
        except (GatewayUnreachableError, TimeoutError) as fault:
            answered, outcome = False, "unknown"
            raise GatewayUnreachableError(f"{self.name} gave no answer to {call}") from fault
        else:
            answered, outcome = True, "answered"
            return answer
        finally:
            self._breaker.end(answered=answered)
            OPEN.labels(self.name).set(self._breaker.open)
            CALLS.labels(self.name, call, outcome).observe(time.perf_counter() - begun)
