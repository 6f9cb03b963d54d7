"""A second call when the first is late, over real gRPC: the first answer is taken, and the other call is cancelled."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import prometheus_client
import pytest
import pytest_asyncio
from google.protobuf.message import Message

from mesh import errors
from mesh.budget import RESERVE, SHARE
from mesh.client import Clients
from mesh.contract import Contract
from ordermesh.inventory.v1 import inventory_pb2
from ordermesh.inventory.v1 import inventory_service_pb2 as pb
from ordermesh.inventory.v1 import inventory_service_pb2_grpc as inventory_grpc
from tests.integration.mesh.warehouse import SERVICE, Warehouse, calling, listening, with_deadlines

GET_STOCK = f"/{SERVICE}/GetStock"
STOCK = pb.GetStockRequest(sku="A")
PATIENCE = 30.0


class Slow(Warehouse):
    """Hangs on the calls that the test names by their number, and says which were given up."""

    def __init__(self) -> None:
        """Hang on the first."""
        super().__init__()
        self.hangs = {1}
        self.refuses: set[int] = set()
        self.given_up: list[int] = []
        self.free = asyncio.Event()
        self.answer = self._take_time

    async def _take_time(self, _: object) -> Message:
        number = len(self.calls)
        try:
            if number in self.hangs:
                await self.free.wait()
        except asyncio.CancelledError:
            self.given_up.append(number)
            raise
        if number in self.refuses:
            self.free.set()
            raise errors.Unavailable("about to stop")
        return inventory_pb2.Stock(sku=f"answer {number}")


@pytest.fixture
def slow() -> Slow:
    """Make the servicer."""
    return Slow()  # type: ignore[abstract] # Nobody asks for the other methods.


def hedged(delay: float) -> Contract:
    """Give GetStock a hedge, and every method time enough for a busy machine."""
    policies = {each.full_name: each for each in with_deadlines(Contract.load(), PATIENCE).methods}
    policies[GET_STOCK] = replace(policies[GET_STOCK], hedge_delay=timedelta(seconds=delay))
    return Contract(policies)


@pytest.fixture(scope="module")
def contract() -> Contract:
    """Ask again soon."""
    return hedged(0.05)


@pytest_asyncio.fixture
async def clients(slow: Slow, contract: Contract) -> AsyncIterator[Clients]:
    """Serve it, and be the order service."""
    async with listening(slow, contract) as address, calling(address, contract) as opened:
        yield opened


async def ask(clients: Clients, timeout: float | None = None) -> str:  # noqa: ASYNC109 - the client's own
    """Ask for stock; the answer says which call it was that brought it."""
    stub: inventory_grpc.InventoryServiceStub = clients.client(inventory_grpc.InventoryServiceStub, SERVICE)
    stock = await stub.GetStock(STOCK, timeout=timeout)
    return stock.sku


def hedges(answered: str) -> float:
    """Count the hedges that ended so."""
    labels = {"rpc_method": GET_STOCK[1:], "answered": answered}
    return prometheus_client.REGISTRY.get_sample_value("rpc_client_hedges_total", labels) or 0.0


async def given_up(slow: Slow, calls: list[int]) -> None:
    """Wait until the servicer was told."""
    async with asyncio.timeout(PATIENCE):
        while slow.given_up != calls:  # noqa: ASYNC110 - gRPC tells it when it gets to it
            await asyncio.sleep(0.01)


async def test_an_instance_that_hangs_is_answered_for_by_another(clients: Clients, slow: Slow) -> None:
    """The call that hung is cancelled, and it is counted."""
    before = hedges("second")
    assert await ask(clients) == "answer 2"
    await given_up(slow, [1])
    assert hedges("second") == before + 1


async def test_an_answer_in_time_is_asked_for_once(slow: Slow) -> None:
    """Hedges cost nothing while all is well."""
    slow.hangs = set()
    contract = hedged(PATIENCE / 2)
    async with listening(slow, contract) as address, calling(address, contract) as clients:
        assert await ask(clients) == "answer 1"
    assert len(slow.calls) == 1


async def test_an_instance_that_is_about_to_stop_settles_nothing(clients: Clients, slow: Slow) -> None:
    """The second call is refused, the first still comes."""
    before = hedges("first")
    slow.refuses = {2}
    assert await ask(clients) == "answer 1"
    assert hedges("first") == before + 1


async def test_an_error_is_an_answer(clients: Clients, slow: Slow) -> None:
    """It is raised as that of any call."""
    slow.hangs = set()

    async def refuse(_: object) -> Message:
        raise errors.NotFound("no such SKU")

    slow.answer = refuse
    with pytest.raises(errors.NotFound):
        await ask(clients)


async def test_the_deadline_holds_for_both_calls_together(clients: Clients, slow: Slow) -> None:
    """A hedge gives no more time."""
    slow.hangs = {1, 2}
    with pytest.raises(errors.DeadlineExceeded):
        await ask(clients, timeout=0.5)


async def test_whoever_gives_up_gives_up_both_calls(clients: Clients, slow: Slow) -> None:
    """Nothing goes on for nobody."""
    slow.hangs = {1, 2}
    asking = asyncio.ensure_future(ask(clients))
    async with asyncio.timeout(PATIENCE):
        while len(slow.calls) < 2:  # noqa: ASYNC110 - the second comes after the delay
            await asyncio.sleep(0.01)
    asking.cancel()
    await asyncio.wait({asking})
    async with asyncio.timeout(PATIENCE):
        while sorted(slow.given_up) != [1, 2]:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.01)


async def test_a_service_that_is_slow_as_a_whole_is_not_asked_double(clients: Clients, slow: Slow) -> None:
    """Hedges are a share of the calls, and a few; the rest waits."""
    slow.hangs = set(range(10_000))
    before = hedges("none")
    waiting = [asyncio.ensure_future(ask(clients)) for _ in range(60)]
    async with asyncio.timeout(PATIENCE):
        while hedges("none") - before < 60 - 60 * SHARE - RESERVE or len(slow.calls) <= 60:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.01)
    slow.free.set()
    await asyncio.gather(*waiting)
    assert 60 < len(slow.calls) <= 60 * (1 + SHARE) + RESERVE
