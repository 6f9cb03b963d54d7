"""Streams of answers, over real gRPC: the gate's whole protection, and a client that is told how each one ended."""

import asyncio
from collections.abc import AsyncIterator

import grpc
import prometheus_client
import pytest
import pytest_asyncio

from mesh import context, errors, headers, visit
from mesh.client import Clients
from mesh.contract import Contract
from ordermesh.inventory.v1 import inventory_service_pb2 as pb
from ordermesh.inventory.v1 import inventory_service_pb2_grpc as inventory_grpc
from tests.integration.mesh.warehouse import SERVICE, Serving, Warehouse, calling, serving, with_deadlines
from tests.peers import EDGE, PEER

WATCH = pb.WatchStockRequest(skus=["A"])
ANSWER = pb.WatchStockResponse()


class Watched(Warehouse):
    """Answers WatchStock twice, then as the test says."""

    def __init__(self) -> None:
        """Wait for ever after the second answer."""
        super().__init__()
        self.error: Exception | None = None
        self.last = asyncio.Event()
        self.waiting = asyncio.Event()
        self.left = asyncio.Event()

    async def WatchStock(self, _: object, __: object) -> AsyncIterator[pb.WatchStockResponse]:  # noqa: N802 - gRPC's own
        """Answer twice, wait, fail if there is an error, and end."""
        self.calls.append(context.current())
        try:
            yield ANSWER
            yield ANSWER
            self.waiting.set()
            await self.last.wait()
            if self.error:
                raise self.error
        finally:
            self.left.set()


class Log:
    """Keeps the lines of the access log, each with the request it was written in."""

    def __init__(self) -> None:
        """Begin empty."""
        self.lines: list[dict[str, object]] = []

    def info(self, event: str, **line: object) -> None:
        """Keep a line."""
        self.lines.append({"event": event, "request_id": context.current().request_id, **line})


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Log:
    """Read what is logged."""
    kept = Log()
    monkeypatch.setattr(visit, "_log", kept)
    return kept


@pytest.fixture(scope="module")
def contract() -> Contract:
    """Load the contracts."""
    return Contract.load()


@pytest.fixture
def warehouse() -> Watched:
    """Make the servicer."""
    return Watched()  # type: ignore[abstract] # Nobody asks for the other methods.


@pytest_asyncio.fixture
async def server(warehouse: Watched, contract: Contract) -> AsyncIterator[Serving]:
    """Serve it, with room for two streams."""
    async with serving(warehouse, contract, most_streams=2) as served:
        yield served


@pytest_asyncio.fixture
async def clients(server: Serving, contract: Contract) -> AsyncIterator[Clients]:
    """Be the order service."""
    async with calling(server.address, contract) as opened:
        yield opened


def watching(
    clients: Clients, request: pb.WatchStockRequest = WATCH, seconds: float | None = None
) -> AsyncIterator[object]:
    """Begin to watch."""
    stub = clients.client(inventory_grpc.InventoryServiceStub, SERVICE)
    answers: AsyncIterator[object] = stub.WatchStock(request, timeout=seconds)  # type: ignore[assignment]
    return answers


async def test_each_answer_arrives_when_it_is_given(clients: Clients, warehouse: Watched) -> None:
    """And the end, when the method ends."""
    answers = watching(clients)
    assert [await anext(answers), await anext(answers)] == [ANSWER, ANSWER]
    await warehouse.waiting.wait()
    warehouse.last.set()
    assert [each async for each in answers] == []


async def test_the_method_knows_for_whom_it_answers(clients: Clients, warehouse: Watched) -> None:
    """As any other method does, and until when."""
    warehouse.last.set()
    with context.serving(context.Call("r1", context.Caller())):
        assert len([each async for each in watching(clients, seconds=9)]) == 2
    (call,) = warehouse.calls
    assert (call.request_id, call.caller.peer, 0 < (call.remaining() or 0) <= 9) == ("r1", "order", True)


async def test_who_may_not_watch_is_refused_before_the_first_answer(server: Serving, warehouse: Watched) -> None:
    """Nobody's call, an invalid request, and claims that can't be read."""
    async with grpc.aio.insecure_channel(server.address) as channel:
        stub = inventory_grpc.InventoryServiceStub(channel)
        for request, metadata, code in (
            (WATCH, {}, grpc.StatusCode.UNAUTHENTICATED),
            (pb.WatchStockRequest(), EDGE, grpc.StatusCode.INVALID_ARGUMENT),
            (WATCH, EDGE | {headers.CLAIMS: "%"}, grpc.StatusCode.UNAUTHENTICATED),
        ):
            with pytest.raises(grpc.aio.AioRpcError) as refusal:
                await stub.WatchStock(request, metadata=tuple(metadata.items())).read()
            assert refusal.value.code() is code
    assert warehouse.calls == []


async def test_an_error_in_the_middle_arrives_with_all_it_says(clients: Clients, warehouse: Watched) -> None:
    """After the answers that were given before it."""
    warehouse.error = errors.NotFound("no such SKU", reason="SKU_NOT_FOUND", metadata={"sku": "A"})
    warehouse.last.set()
    answers = watching(clients)
    assert [await anext(answers), await anext(answers)] == [ANSWER, ANSWER]
    with pytest.raises(errors.NotFound) as failure:
        await anext(answers)
    assert (failure.value.reason, dict(failure.value.metadata)) == ("SKU_NOT_FOUND", {"sku": "A"})


async def test_a_defect_in_the_middle_tells_nothing(clients: Clients, warehouse: Watched) -> None:
    """The log has its story."""
    warehouse.error = RuntimeError("a-secret")
    warehouse.last.set()
    with pytest.raises(errors.Internal) as failure:
        assert [each async for each in watching(clients)] == []
    assert "a-secret" not in failure.value.message


async def test_a_stream_lives_no_longer_than_its_contract_says(warehouse: Watched, contract: Contract) -> None:
    """Although its caller would wait; the method is stopped."""
    brief = with_deadlines(contract, 0.2)
    async with serving(warehouse, brief) as server, calling(server.address, contract) as clients:
        with pytest.raises(errors.DeadlineExceeded, match=r"no answer within 0\.2 s"):
            assert [each async for each in watching(clients)] == []
    assert warehouse.left.is_set()


async def test_whoever_stops_watching_ends_the_method(clients: Clients, warehouse: Watched) -> None:
    """Nothing is left waiting for a caller who is gone."""
    answers = watching(clients)
    await anext(answers)
    await answers.aclose()  # type: ignore[attr-defined] # An async generator, to be exact.
    await asyncio.wait_for(warehouse.left.wait(), 5)


async def test_streams_are_bounded_apart_from_calls(clients: Clients, warehouse: Watched) -> None:
    """The third is turned away; a call with one answer is not."""
    first, second = watching(clients), watching(clients)
    await anext(first)
    await anext(second)
    with pytest.raises(errors.ResourceExhausted) as refusal:
        await anext(watching(clients))
    assert refusal.value.reason == "OVERLOADED"
    stub = clients.client(inventory_grpc.InventoryServiceStub, SERVICE)
    await stub.GetStock(pb.GetStockRequest(sku="A"))
    warehouse.last.set()
    assert len([each async for each in first]) == 1
    assert len([each async for each in watching(clients)]) == 2


async def test_streams_end_when_the_process_is_about_to_stop(
    clients: Clients, server: Serving, warehouse: Watched
) -> None:
    """With the code by which clients go to another instance; none begins after that."""
    answers = watching(clients)
    await anext(answers)
    await anext(answers)
    await warehouse.waiting.wait()
    server.gate.drain()
    for each in (answers, watching(clients)):
        with pytest.raises(errors.Unavailable) as ended:
            await anext(each)
        assert ended.value.reason == "DRAINING"
    assert warehouse.left.is_set()


def count(kind: str, code: str) -> float:
    """Count the streams of WatchStock that ended so, at one side."""
    labels = {"rpc_method": f"{SERVICE}/WatchStock", "rpc_response_status_code": code}
    return prometheus_client.REGISTRY.get_sample_value(f"rpc_{kind}_call_duration_seconds_count", labels) or 0.0


def active() -> float:
    """Count the streams being answered."""
    labels = {"rpc_method": f"{SERVICE}/WatchStock"}
    return prometheus_client.REGISTRY.get_sample_value("rpc_server_active_calls", labels) or 0.0


async def test_a_stream_is_counted_and_logged_when_it_ended(clients: Clients, warehouse: Watched, log: Log) -> None:
    """Until then it is active; one line says how long it took and how it ended."""
    before = {kind: count(kind, "OK") for kind in ("client", "server")}
    answers = watching(clients)
    await anext(answers)
    assert active() == 1
    warehouse.last.set()
    assert len([each async for each in answers]) == 1
    assert active() == 0
    assert {kind: count(kind, "OK") - was for kind, was in before.items()} == {"client": 1, "server": 1}
    (line,) = log.lines
    assert (line["event"], line["rpc_method"], line["code"]) == ("call served", f"{SERVICE}/WatchStock", "OK")


async def test_a_watcher_that_reads_nothing_and_leaves_is_logged_under_its_request(
    server: Serving, warehouse: Watched, log: Log
) -> None:
    """Also when it left while an answer was on its way."""
    async with grpc.aio.insecure_channel(server.address) as channel:
        stub = inventory_grpc.InventoryServiceStub(channel)
        call = stub.WatchStock(WATCH, metadata=((PEER, "edge"), (headers.REQUEST_ID, "r9")))
        await call.read()
        call.cancel()
        await asyncio.wait_for(warehouse.left.wait(), 5)
    await asyncio.wait_for(_until_idle(), 5)
    (line,) = log.lines
    assert (line["code"], line["request_id"]) == ("CANCELLED", "r9")


async def _until_idle() -> None:
    while active():  # noqa: ASYNC110 - gRPC ends the call when it gets to it
        await asyncio.sleep(0.01)
