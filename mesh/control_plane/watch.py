"""Follows Consul with blocking queries and tells what it answered, one complete observation at a time.

One session is one uninterrupted time with Consul. Any failed query ends it, and the next one asks for
everything anew before it tells anything: so nothing is ever told that mixes what Consul knew before and after
a restart.
"""

import asyncio
import ipaddress
import itertools
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Protocol

import aiohttp
import structlog

from mesh import advertisement, documents
from mesh.advertisement import REPORT, TAG
from mesh.blocking_queries import Agent, Answer, ConsulUnreadableError, follow
from mesh.control_plane.metrics import Metrics
from mesh.control_plane.policy import Documents
from mesh.control_plane.world import Health, Instance, Observation

SHORTEST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.1, 2.0
"""Pauses between sessions double from the first to the second while Consul does not answer."""

Tell = Callable[[Observation], None]


Entry = Mapping[str, Any]


class Catalog(Protocol):
    """The questions that are asked of Consul. `index` 0 asks for an answer at once."""

    async def services(self, index: int) -> Answer[Mapping[str, Collection[str]]]:
        """Answer with the registered services, each with its tags."""

    async def health(self, service: str, index: int) -> Answer[list[Entry]]:
        """Answer with the entries of a service, each with its Node, Service and Checks."""

    async def policies(self, index: int) -> Answer[Documents]:
        """Answer with the documents of traffic policy."""


class ConsulCatalog:
    """Consul's HTTP API. Raises `ConsulUnreadableError`, `aiohttp.ClientError` or `TimeoutError`."""

    def __init__(self, agent: Agent) -> None:
        """`agent` is asked."""
        self._agent = agent

    async def services(self, index: int) -> Answer[Mapping[str, Collection[str]]]:
        """Ask which services are registered. A mapping without Consul's own entry is no answer.

        Consul always lists itself, except to a token that may not see it and before it has taken the lead.
        """
        answer: Answer[Mapping[str, Collection[str]]] = await self._agent.ask("/v1/catalog/services", index)
        if "consul" not in answer.body:
            message = "the catalog lists nothing, not even Consul: no leader yet, or a token without service:read"
            raise ConsulUnreadableError(message)
        return answer

    async def health(self, service: str, index: int) -> Answer[list[Entry]]:
        """Ask for the instances of a service with their checks."""
        return await self._agent.ask(f"/v1/health/service/{service}", index)

    async def policies(self, index: int) -> Answer[Documents]:
        """Ask for all documents; a folder without any is not there."""
        answer = await self._agent.ask(f"/v1/kv/{documents.POLICY}?recurse=true", index, missing=[])
        return Answer(answer.index, Documents(answer.index, documents.contents(answer.body, documents.POLICY)))


class Session:
    """One uninterrupted time with Consul. `complete` once every query has been answered."""

    def __init__(
        self, number: int, catalog: Catalog, services: Iterable[str], tell: Tell, guests: set[str] | None = None
    ) -> None:
        """Watch the services named and the guests; complete observations that bring news go to `tell`.

        Guests are services of other teams, which Consul's catalog marks as such. New ones are added to the set.
        """
        self._number = number
        self._catalog = catalog
        self._services = frozenset(services)
        self._guests = set() if guests is None else guests
        self._tell = tell
        self._queries = asyncio.TaskGroup()
        self._readable = False
        self._policies: Documents | None = None
        self._found: dict[str, tuple[Instance, ...]] = {}

    @property
    def complete(self) -> bool:
        """Whether Consul has answered about everything."""
        watched = len(self._services) + len(self._guests)
        return self._readable and self._policies is not None and len(self._found) == watched

    async def run(self) -> None:
        """Follow everything until a query fails; the failures arrive as an ExceptionGroup."""
        async with self._queries as queries:
            queries.create_task(follow(self._catalog.services, self._heard_from_catalog))
            queries.create_task(follow(self._catalog.policies, self._heard_policies))
            for service in (*self._services, *self._guests):
                queries.create_task(self._follow(service))

    async def _follow(self, service: str) -> None:
        def heard(entries: list[Entry]) -> None:
            found = instances(entries, guest=service in self._guests)
            if self._found.get(service) != found:
                self._found[service] = found
                self._tell_if_complete()

        await follow(lambda index: self._catalog.health(service, index), heard)

    def _heard_from_catalog(self, listed: Mapping[str, Collection[str]]) -> None:
        """Follow guests that are new. One that left for good stays known, and has no instances."""
        fresh = {name for name, tags in listed.items() if TAG in tags} - self._services - self._guests
        self._guests |= fresh
        for service in fresh:
            self._queries.create_task(self._follow(service))
        if not self._readable:
            self._readable = True
            self._tell_if_complete()

    def _heard_policies(self, found: Documents) -> None:
        self._policies = found
        self._tell_if_complete()

    def _tell_if_complete(self) -> None:
        if self.complete and self._policies is not None:
            self._tell(Observation(self._number, dict(self._found), self._policies))


async def watch(
    catalog: Catalog,
    services: Iterable[str],
    tell: Tell,
    metrics: Metrics,
    log: structlog.typing.FilteringBoundLogger,
) -> None:
    """Hold one session after the other for ever."""
    names, guests = tuple(services), set[str]()
    pause = SHORTEST_PAUSE_SECONDS
    for number in itertools.count(1):
        session = Session(number, catalog, names, _counting(tell, metrics), guests)
        try:
            await session.run()
        except* (aiohttp.ClientError, TimeoutError, ConsulUnreadableError) as failures:
            metrics.consul_lost()
            log.warning("consul_lost", session=number, retry_seconds=pause, errors=_first_words(failures))
        pause = SHORTEST_PAUSE_SECONDS if session.complete else min(pause * 2, LONGEST_PAUSE_SECONDS)
        await asyncio.sleep(pause)


def _counting(tell: Tell, metrics: Metrics) -> Tell:
    def counted(observation: Observation) -> None:
        metrics.consul_heard()
        tell(observation)

    return counted


def _first_words(failures: BaseExceptionGroup[BaseException]) -> list[str]:
    return sorted({f"{type(each).__name__}: {each}" for each in failures.exceptions})


def instances(entries: Iterable[Entry], *, guest: bool = False) -> tuple[Instance, ...]:
    """Read the instances from an answer of /v1/health/service, in the order of their ids.

    Entries without a usable IP address and port are left out: a client refuses the whole list for one of
    them. A guest's own word is taken for what its contract says.
    """
    found = (_instance(entry, guest=guest) for entry in entries)
    return tuple(sorted((each for each in found if each), key=lambda each: each.id))


def _instance(entry: Entry, *, guest: bool) -> Instance | None:
    service, node = entry["Service"], entry["Node"]
    host, port = service["Address"] or node["Address"], service["Port"]
    if not _is_address(host) or not 0 < port < 1 << 16:
        return None
    meta = service.get("Meta") or {}
    zone, version = meta.get("zone", ""), meta.get("version", "")
    methods = tuple(sorted(advertisement.read(meta).items())) if guest else ()
    return Instance(service["ID"], host, port, node["Datacenter"], zone, _health(entry["Checks"]), version, methods)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _health(checks: Iterable[Entry]) -> Health:
    """Judge by the worst check. Warnings pass, as in Consul's own DNS; maintenance drains.

    A process's own report does not count: all of them end at once when Consul itself was held up for long enough.

    A check that has not run yet is critical and has no output; one that failed always says why.
    """
    failing = [each for each in checks if each["Status"] == "critical" and not each["CheckID"].endswith(REPORT)]
    if not failing:
        return Health.HEALTHY
    if any(each["CheckID"].startswith(("_service_maintenance", "_node_maintenance")) for each in failing):
        return Health.DRAINING
    return Health.UNHEALTHY if any(each["Output"] for each in failing) else Health.UNCHECKED
