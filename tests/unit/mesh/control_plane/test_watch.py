"""How Consul is followed, with a Consul whose answers each test hands out."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine
from typing import Any

import pytest
import structlog
from prometheus_client import CollectorRegistry

from mesh.advertisement import TAG
from mesh.blocking_queries import Answer, ConsulUnreadableError, follow
from mesh.control_plane.metrics import Metrics
from mesh.control_plane.policy import Documents
from mesh.control_plane.watch import Session, instances, watch
from mesh.control_plane.world import Health, Observation
from tests.unit.mesh.control_plane.examples import documents, instance


class ScriptedCatalog:
    """A Consul that answers a query when the test gives it something to say."""

    def __init__(self) -> None:
        """Begin speechless."""
        self.asked: dict[str, asyncio.Queue[int]] = {}
        self._answers: dict[str, asyncio.Queue[Answer[Any] | Exception]] = {}

    def say(self, query: str, answer: Answer[Any] | Exception) -> None:
        """Hand out the next answer to the query about a service, or about "catalog"."""
        self._answers.setdefault(query, asyncio.Queue()).put_nowait(answer)

    async def services(self, index: int) -> Answer[Any]:
        """Answer about the catalog."""
        return await self._next("catalog", index)

    async def health(self, service: str, index: int) -> Answer[Any]:
        """Answer about a service."""
        return await self._next(service, index)

    async def policies(self, index: int) -> Answer[Any]:
        """Answer about the policies: there are none at first."""
        if index == 0:
            return Answer(1, Documents(1))
        return await self._next("policies", index)

    async def _next(self, query: str, index: int) -> Answer[Any]:
        self.asked.setdefault(query, asyncio.Queue()).put_nowait(index)
        answer = await self._answers.setdefault(query, asyncio.Queue()).get()
        if isinstance(answer, Exception):
            raise answer
        return answer


def entry(port: int, *checks: dict[str, str], address: str = "127.0.0.1", **meta: str) -> dict[str, Any]:
    """Make an entry of /v1/health/service."""
    service = {"ID": f"i-{port}", "Address": address, "Port": port, "Meta": meta or {"zone": "zone-a"}}
    return {"Node": {"Address": "127.0.0.1", "Datacenter": "dc1"}, "Service": service, "Checks": list(checks)}


def check(status: str, output: str = "", name: str = "service:i") -> dict[str, str]:
    """Make a check of an entry."""
    return {"CheckID": name, "Status": status, "Output": output}


@contextlib.asynccontextmanager
async def running(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run work beside the test."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def settle() -> None:
    """Let everything that can go on go on."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_nothing_is_told_before_everything_is_known() -> None:
    """Half of Consul's answers are no state of the mesh."""
    catalog, told = ScriptedCatalog(), list[Observation]()
    async with running(Session(1, catalog, ["order", "product"], told.append).run()):
        catalog.say("catalog", Answer(5, {"consul": []}))
        catalog.say("order", Answer(5, [entry(1)]))
        await settle()
        assert told == []

        catalog.say("product", Answer(5, []))
        await settle()

    assert told == [Observation(1, {"order": (instance(1),), "product": ()}, Documents(1))]


async def test_an_answer_without_news_is_not_told() -> None:
    """A query that ran into its waiting time repeats what is known."""
    catalog, told = ScriptedCatalog(), list[Observation]()
    async with running(Session(1, catalog, ["order"], told.append).run()):
        catalog.say("catalog", Answer(5, {"consul": []}))
        catalog.say("order", Answer(5, [entry(1)]))
        catalog.say("order", Answer(5, [entry(1)]))
        catalog.say("order", Answer(6, [entry(1, check("passing", "still fine"))]))
        await settle()

    assert len(told) == 1


async def test_an_index_that_goes_backwards_starts_over() -> None:
    """Waiting beyond an index that Consul has lost would miss what happens next."""
    catalog = ScriptedCatalog()
    async with running(follow(catalog.services, lambda _: None)):
        for index in (7, 3, 3, 4):
            catalog.say("catalog", Answer(index, {"consul": []}))
        await settle()

    asked = catalog.asked["catalog"]
    assert [asked.get_nowait() for _ in range(asked.qsize())] == [0, 7, 0, 3, 4]


async def test_an_index_that_cannot_be_waited_on_is_an_error() -> None:
    """Asking with it again would not wait, but spin."""
    catalog = ScriptedCatalog()
    catalog.say("catalog", Answer(0, {"consul": []}))

    with pytest.raises(ConsulUnreadableError, match="index 0"):
        await follow(catalog.services, lambda _: None)


async def test_a_failed_query_begins_a_new_session() -> None:
    """After a failure everything is asked again, without an index, and told only when it is complete."""
    catalog, told = ScriptedCatalog(), list[Observation]()
    metrics = Metrics(registry := CollectorRegistry())
    async with running(watch(catalog, ["order"], told.append, metrics, structlog.get_logger())):
        catalog.say("catalog", Answer(5, {"consul": []}))
        catalog.say("order", Answer(5, [entry(1)]))
        await settle()
        catalog.say("order", ConsulUnreadableError("HTTP 500: no leader"))
        catalog.say("order", Answer(9, []))
        await asyncio.sleep(0.15)
        assert [each.session for each in told] == [1]

        catalog.say("catalog", Answer(9, {"consul": []}))
        await settle()

    assert told[1:] == [Observation(2, {"order": ()}, Documents(1))]
    assert registry.get_sample_value("ordermesh_control_plane_consul_lost_total") == 1


@pytest.mark.parametrize(
    ("checks", "health"),
    [
        ([], Health.HEALTHY),
        ([check("passing"), check("warning", "slow")], Health.HEALTHY),
        ([check("passing"), check("critical", "connection refused")], Health.UNHEALTHY),
        ([check("critical")], Health.UNCHECKED),
        ([check("critical"), check("critical", "timeout")], Health.UNHEALTHY),
        ([check("critical", "upgrade", "_service_maintenance:i")], Health.DRAINING),
        ([check("critical", "reboot", "_node_maintenance")], Health.DRAINING),
    ],
)
def test_an_instance_is_as_healthy_as_its_worst_check(checks: list[dict[str, str]], health: Health) -> None:
    """Warnings pass, maintenance drains, and a check that has not run is not one that failed."""
    assert [each.health for each in instances([entry(1, *checks)])] == [health]


def test_a_service_without_an_address_lives_on_its_node() -> None:
    """Consul leaves the address empty when it is the agent's."""
    assert [each.host for each in instances([entry(1, address="")])] == ["127.0.0.1"]


@pytest.mark.parametrize(("address", "port"), [("order.internal", 9050), ("127.0.0.1", 0)])
def test_an_entry_that_no_client_could_use_is_left_out(address: str, port: int) -> None:
    """One such endpoint would make gRPC refuse the list with all the others."""
    assert instances([entry(port, address=address), entry(1)]) == (instance(1),)


def test_a_zone_is_optional() -> None:
    """Instances that do not name their zone share one without a name."""
    assert instances([entry(1, version="2")]) == (instance(1, zone="", version="2"),)


async def test_a_document_of_policy_is_news() -> None:
    """It is told with the instances that are known."""
    catalog, told = ScriptedCatalog(), list[Observation]()
    async with running(Session(1, catalog, ["order"], told.append).run()):
        catalog.say("catalog", Answer(5, {"consul": []}))
        catalog.say("order", Answer(5, [entry(1)]))
        await settle()
        written = documents(7, order={"maxConcurrentRequests": 7})
        catalog.say("policies", Answer(7, written))
        await settle()

    assert [each.policies for each in told] == [Documents(1), written]


async def test_policies_that_can_not_be_read_end_the_session() -> None:
    """That is not the same as having none."""
    catalog = ScriptedCatalog()
    catalog.say("policies", ConsulUnreadableError("the token may not read all of it"))

    with pytest.raises(ExceptionGroup, match="unhandled errors in a TaskGroup"):
        await Session(1, catalog, ["order"], lambda _: None).run()


async def test_a_guest_is_watched_as_soon_as_the_catalog_marks_one() -> None:
    """It is told with what it says of its own methods, and stays known to the next session."""
    catalog, told, guests = ScriptedCatalog(), list[Observation](), set[str]()
    async with running(Session(1, catalog, ["order"], told.append, guests).run()):
        catalog.say("catalog", Answer(5, {"consul": [], "loyalty": [TAG], "elsewhere": ["v1"], "order": [TAG]}))
        catalog.say("order", Answer(5, []))
        await settle()
        assert told == []
        meta = {"methods-0": "acme.loyalty.v1.LoyaltyService/GetPoints*,AddPoints"}
        catalog.say("loyalty", Answer(5, [entry(7, **meta)]))
        await settle()

    (seen,) = told
    (guest,) = seen.services["loyalty"]
    service = "/acme.loyalty.v1.LoyaltyService"
    assert guest.methods == ((f"{service}/AddPoints", False), (f"{service}/GetPoints", True))
    assert (set(seen.services), guests) == ({"order", "loyalty"}, {"loyalty"})


def test_a_report_that_did_not_come_keeps_no_calls_away() -> None:
    """Whoever is dead fails the check that asks, too."""
    late = check("critical", "TTL expired", name="order-1-report")
    (found,) = instances([entry(1, check("passing"), late)])
    assert found.health is Health.HEALTHY
