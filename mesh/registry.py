"""A process's own entry in Consul: made through the agent, kept there, and taken back before the process drains."""

import asyncio
import contextlib
import datetime as dt
import urllib.parse
from collections.abc import AsyncIterator, Iterable

from aiohttp import ClientError
from consul import Check
from consul.aio import Consul
from consul.exceptions import ConsulException

from mesh.advertisement import REPORT, TAG, written
from mesh.contract import MethodPolicy
from mesh.health import Health
from mesh.settings import MeshSettings
from mesh.telemetry import get_logger

_log = get_logger(__name__)

# One late answer is a busy machine, two in a row are a sick instance. Clients leave one that hangs out by themselves,
# and sooner (mesh/client.py); that Consul takes it out of the list some seconds later loses no call.
CHECK_INTERVAL = "1s"
CHECK_TIMEOUT = "2s"
FAILURES_BEFORE_CRITICAL = 2
# One that died without a word stops reporting, and is gone a minute after this; 1 min is Consul's own minimum.
REPORT_TTL = "30s"
FORGET_AFTER = "1m"
# The agent shows its own certificate. It asks for none by name: ours name a service, not a host.
TLS = {"use_tls": True, "tls_skip_verify": True}
REPORT_SECONDS = 10.0
RETRY_SECONDS = 1.0
LONGEST_NOTE = 2000
PATIENCE_SECONDS = 5.0

FAILURES = (ConsulException, ClientError, OSError, TimeoutError)


class Registry:
    """Registers one instance. An agent that is away, or that has forgotten us, is told again until it knows us.

    Consul keeps two checks of it. The first asks for its health over gRPC, and decides whether it is sent calls. The
    second is its own report, which names what is missing; whoever is sick but alive stays listed, with the reason.
    """

    def __init__(self, settings: MeshSettings, health: Health, methods: Iterable[MethodPolicy] = ()) -> None:
        """`methods` are those that it serves to the mesh."""
        self._settings = settings
        self._health = health
        self._methods = tuple(methods)
        self._started = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
        self._report_id = f"{settings.instance}{REPORT}"
        # The agent may know an earlier process by our name, which it was kept from taking back.
        self._registered = False

    async def keep(self, stop: asyncio.Event) -> None:
        """Stay registered until stopped, then leave."""
        async with _agent(self._settings) as agent:
            while not stop.is_set():
                told = await self._tell(agent)
                await _first_of(stop, self._health.news, REPORT_SECONDS if told else RETRY_SECONDS)
                self._health.news.clear()
            await self._leave(agent)

    async def _tell(self, agent: Consul) -> bool:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                if not (self._registered and await self._report(agent)):
                    await self._register(agent)
                    self._registered = True
                    await self._report(agent)
                    _log.info("registered in Consul", instance=self._settings.instance)
        except FAILURES as failure:
            _log.warning("Consul's agent can't be told about us", error=str(failure) or type(failure).__name__)
            return False
        return True

    async def _report(self, agent: Consul) -> bool:
        """Say how we are, and so that we are. False when the agent doesn't know us, or not any more."""
        checks = agent.agent.check
        complaints = self._health.complaints
        failing = "; ".join(f"{name}: {complaint}" for name, complaint in complaints.items() if complaint)
        if failing:
            return bool(await checks.ttl_warn(self._report_id, notes=failing[:LONGEST_NOTE]))
        return bool(await checks.ttl_pass(self._report_id, notes=f"well: {', '.join(complaints) or 'needs nobody'}"))

    async def _register(self, agent: Consul) -> None:
        own = self._settings
        report = {"CheckID": self._report_id, "Name": "What it needs, by its own report", **Check.ttl(REPORT_TTL)}
        await agent.agent.service.register(
            own.service,
            service_id=own.instance,
            address=own.host,
            port=own.port,
            tags=[TAG] if self._methods else [],
            check=self._health_check(),
            extra_checks=[{**report, "DeregisterCriticalServiceAfter": FORGET_AFTER, "Status": "passing"}],
            meta={
                "version": own.version,
                "zone": own.zone,
                "metrics_port": str(own.metrics_port),
                "started": self._started,
                **written(self._methods),
            },
            replace_existing_checks=True,
        )

    def _health_check(self) -> dict[str, object]:
        """Have Consul ask us; what the first answer will be is known, so that nobody need wait for it."""
        address = f"{self._settings.host}:{self._settings.port}"
        return {
            **Check.grpc(address, CHECK_INTERVAL, timeout=CHECK_TIMEOUT, **TLS),
            "CheckID": f"{self._settings.instance}-health",
            "Name": "Whether it serves, asked over gRPC",
            "FailuresBeforeCritical": FAILURES_BEFORE_CRITICAL,
            "Status": "passing" if self._health.serving else "critical",
        }

    async def _leave(self, agent: Consul) -> None:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await agent.agent.service.deregister(self._settings.instance)
                _log.info("left Consul", instance=self._settings.instance)
        except FAILURES as failure:
            _log.warning("Consul's agent can't be told that we leave", error=str(failure))


@contextlib.asynccontextmanager
async def _agent(settings: MeshSettings) -> AsyncIterator[Consul]:
    url = urllib.parse.urlsplit(settings.consul_http)
    token = settings.consul_token.get_secret_value() or None
    trusted = str(settings.consul_ca) if url.scheme == "https" else None
    agent = Consul(host=url.hostname, port=url.port, scheme=url.scheme, token=token, verify=trusted)
    try:
        yield agent
    finally:
        await agent.close()


async def _first_of(stop: asyncio.Event, news: asyncio.Event, seconds: float) -> None:
    waiting = [asyncio.create_task(event.wait()) for event in (stop, news)]
    await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    for each in waiting:
        each.cancel()
