"""A process's own entry in Consul: made through the agent, kept there, and taken back before the process drains."""

import asyncio
import contextlib
import urllib.parse
from collections.abc import AsyncIterator, Callable

from aiohttp import ClientError
from consul import Check
from consul.aio import Consul
from consul.exceptions import ConsulException

from mesh.settings import MeshSettings
from mesh.telemetry import get_logger

_log = get_logger(__name__)

# An instance that hangs is out of everybody's list after the sum of both at the latest.
CHECK_INTERVAL = "1s"
CHECK_TIMEOUT = "1500ms"
# Consul's own minimum: an instance that died without a word is gone after a minute.
FORGET_AFTER = "1m"
# The agent shows its own certificate. It asks for none by name: ours name a service, not a host.
TLS = {"use_tls": True, "tls_skip_verify": True}
LOOK_SECONDS = 15.0
RETRY_SECONDS = 1.0
PATIENCE_SECONDS = 5.0

FAILURES = (ConsulException, ClientError, OSError, TimeoutError)


class Registry:
    """Registers one instance. An agent that is away, or that has forgotten us, is asked again until it knows us."""

    def __init__(self, settings: MeshSettings, healthy: Callable[[], bool]) -> None:
        """`healthy` says what the first check would find, so that a healthy instance need not wait for it."""
        self._settings = settings
        self._healthy = healthy

    async def keep(self, stop: asyncio.Event) -> None:
        """Stay registered until stopped, then leave."""
        async with _agent(self._settings) as agent:
            while not stop.is_set():
                known = await self._ensure(agent)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), LOOK_SECONDS if known else RETRY_SECONDS)
            await self._leave(agent)

    async def _ensure(self, agent: Consul) -> bool:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                if not await self._known(agent):
                    await self._register(agent)
                    _log.info("registered in Consul", instance=self._settings.instance)
        except FAILURES as failure:
            _log.warning("Consul's agent can't be told about us", error=str(failure) or type(failure).__name__)
            return False
        return True

    async def _known(self, agent: Consul) -> bool:
        found = await agent.agent.services()
        return self._settings.instance in found

    async def _register(self, agent: Consul) -> None:
        own = self._settings
        address = f"{own.host}:{own.port}"
        await agent.agent.service.register(
            own.service,
            service_id=own.instance,
            address=own.host,
            port=own.port,
            check={
                **Check.grpc(address, CHECK_INTERVAL, timeout=CHECK_TIMEOUT, deregister=FORGET_AFTER, **TLS),
                "status": "passing" if self._healthy() else "critical",
            },
            meta={"version": own.version, "zone": own.zone, "metrics_port": str(own.metrics_port)},
            replace_existing_checks=True,
        )

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
