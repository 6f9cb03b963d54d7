"""What this process says about itself over grpc.health.v1: SERVING only while everything it stands on answers."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping

from grpc_health.v1 import health_pb2
from grpc_health.v1.health import aio as grpc_health
from prometheus_client import Gauge

from mesh.telemetry import get_logger

_log = get_logger(__name__)

Check = Callable[[], Awaitable[None]]

INTERVAL_SECONDS = 2.0
PATIENCE_SECONDS = 2.0
SETTLE_SECONDS, SHORT_SECONDS = 2.0, 0.05

DEPENDENCY_UP = Gauge("ordermesh_dependency_up", "Whether the last check of a dependency passed.", ("dependency",))

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


class Health:
    """Runs the checks over and over. Every service of the process shares one verdict."""

    def __init__(self) -> None:
        """At first it speaks for the process as a whole, which goes by the empty name."""
        self.servicer = grpc_health.HealthServicer()
        self._names = [""]
        self._checks: dict[str, Check] = {}
        self._failing: Mapping[str, str] | None = None
        self.news = asyncio.Event()
        """Set when the complaints have changed; cleared by whoever hears of it."""

    @property
    def serving(self) -> bool:
        """The verdict of the last look; False before the first."""
        return self._failing == {}

    @property
    def complaints(self) -> Mapping[str, str]:
        """What the last look found, by dependency; an empty text for one that is well."""
        failing = self._failing or {}
        return {name: failing.get(name, "") for name in self._checks}

    def speaks_for(self, services: Iterable[str]) -> None:
        """Answer for services, too, by their full names."""
        self._names += services

    def add(self, name: str, check: Check) -> None:
        """`check` raises when the dependency can't be used."""
        self._checks[name] = check

    async def settle(self) -> None:
        """Look until everything is fine, for a moment at most: most of what is missing at a start comes at once."""
        deadline = time.monotonic() + SETTLE_SECONDS
        await self.look()
        while not self.serving and time.monotonic() < deadline:
            await asyncio.sleep(SHORT_SECONDS)
            await self.look()

    async def follow(self, stop: asyncio.Event) -> None:
        """Check until stopped."""
        while not stop.is_set():
            await self.look()
            try:
                await asyncio.wait_for(stop.wait(), INTERVAL_SECONDS)
            except TimeoutError:
                continue

    async def look(self) -> None:
        """Run every check once and publish the verdict."""
        found = await asyncio.gather(*(_complaint(check) for check in self._checks.values()))
        failing = {name: complaint for name, complaint in zip(self._checks, found, strict=True) if complaint}
        for name in self._checks:
            DEPENDENCY_UP.labels(name).set(name not in failing)
        if failing != self._failing:
            _log.warning("not healthy", failing=failing) if failing else _log.info("healthy")
            self._failing = failing
            self.news.set()
            await self._publish(NOT_SERVING if failing else SERVING)

    async def leave(self) -> None:
        """Say NOT_SERVING from now on, whatever the checks find."""
        await self.servicer.enter_graceful_shutdown()

    async def _publish(self, verdict: int) -> None:
        for name in self._names:
            await self.servicer.set(name, verdict)


async def _complaint(check: Check) -> str:
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await check()
    except TimeoutError:
        return f"no answer within {PATIENCE_SECONDS:g} s"
    except Exception as failure:  # noqa: BLE001 - whatever a check raises is its verdict
        return f"{type(failure).__name__}: {failure}"
    return ""
