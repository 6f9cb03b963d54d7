"""Calling another service: for whom, until when, and what is raised, over real gRPC."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import grpc
import prometheus_client
import pytest
import pytest_asyncio
from google.protobuf.message import Message
from opentelemetry import trace

from mesh import context, errors
from mesh.client import Clients
from mesh.contract import Contract
from ordermesh.inventory.v1 import inventory_pb2
from ordermesh.inventory.v1 import inventory_service_pb2 as pb
from ordermesh.inventory.v1 import inventory_service_pb2_grpc as inventory_grpc
from tests.integration.mesh.warehouse import HOST, SERVICE, Warehouse, calling, claims_of, listening

ORDER_ID = "01890000-0000-7000-8000-0000000000a1"
CLAIMS = claims_of("u1", "inventory.write")
STOCK = pb.GetStockRequest(sku="A")
DELIVERY = pb.ReceiveStockRequest(sku="A", quantity=1)
RESERVATION = pb.ReserveStockRequest(order_id=ORDER_ID, lines=[pb.ReservationLine(sku="A", quantity=1)])


@pytest.fixture(scope="module")
def contract() -> Contract:
    """Load the contracts."""
    return Contract.load()


@pytest.fixture
def warehouse() -> Warehouse:
    """Make the servicer."""
    return Warehouse()  # type: ignore[abstract] # Nobody asks for the other methods.


@pytest_asyncio.fixture
async def clients(warehouse: Warehouse, contract: Contract) -> AsyncIterator[Clients]:
    """Serve it, and be the order service."""
    async with listening(warehouse, contract) as address, calling(address, contract) as opened:
        yield opened


def stub_of(clients: Clients, *, as_service: bool = False) -> inventory_grpc.InventoryServiceStub:
    """Open a client of the inventory service."""
    stub: inventory_grpc.InventoryServiceStub = clients.client(
        inventory_grpc.InventoryServiceStub, SERVICE, as_service=as_service
    )
    return stub


def for_user(seconds: float | None = None) -> context.Call:
    """Make the call of a user who is being served, with this much time left."""
    deadline = None if seconds is None else time.monotonic() + seconds
    return context.Call("r1", context.Caller(user_id="u1", peer="edge"), deadline, "k1", claims=CLAIMS)


async def test_a_call_for_a_user_is_made_as_the_user(clients: Clients, warehouse: Warehouse) -> None:
    """Under the same request id, but not with the same idempotency key: that was another request's."""
    with context.serving(for_user()):
        await stub_of(clients).ReceiveStock(DELIVERY)
    (call,) = warehouse.calls
    assert (call.caller.actor, call.caller.peer, call.caller.unrestricted) == ("user:u1", "order", False)
    assert (call.request_id, call.claims, call.idempotency_key) == ("r1", CLAIMS, None)


async def test_a_client_that_acts_for_its_service_takes_no_user_along(clients: Clients, warehouse: Warehouse) -> None:
    """The user has no right to hold stock, the order service has."""
    with context.serving(for_user()):
        await stub_of(clients, as_service=True).ReserveStock(RESERVATION)
    (call,) = warehouse.calls
    assert (call.caller.actor, call.claims, call.request_id) == ("service:order", "", "r1")


async def test_a_user_can_do_no_more_through_a_service(clients: Clients) -> None:
    """Their claims are judged again by whoever is called."""
    call = context.Call("r1", context.Caller(user_id="u1"), claims=claims_of("u1"))
    with context.serving(call), pytest.raises(errors.PermissionDenied) as refusal:
        await stub_of(clients).ReceiveStock(DELIVERY)
    assert refusal.value.metadata["permission"] == "inventory.write"


async def test_work_in_the_background_has_a_request_id_too(clients: Clients, warehouse: Warehouse) -> None:
    """Its own, or a new one outside of any."""
    with context.background(actor="service:order", request_id="r7"):
        await stub_of(clients).GetStock(STOCK)
    await stub_of(clients).GetStock(STOCK)
    first, second = warehouse.calls
    assert first.request_id == "r7"
    assert second.request_id not in {"", "r7"}
    assert second.caller.actor == "service:order"


class Traced(Warehouse):
    """Notes the trace that each call says it belongs to."""

    def __init__(self) -> None:
        """Begin with none."""
        super().__init__()
        self.traces: list[str] = []

    async def GetStock(self, _: Any, servicer_context: Any) -> Any:  # type: ignore[override] # noqa: ANN401, N802
        """Answer once."""
        self._note(servicer_context)
        return inventory_pb2.Stock()

    async def WatchStock(self, _: Any, servicer_context: Any) -> Any:  # noqa: ANN401, N802 - gRPC's own
        """Answer with a stream of one."""
        self._note(servicer_context)
        yield pb.WatchStockResponse()

    def _note(self, servicer_context: Any) -> None:  # noqa: ANN401 - as above
        self.traces.append(dict(servicer_context.invocation_metadata()).get("traceparent", ""))


async def test_calls_belong_to_the_trace_of_the_call_that_is_served(contract: Contract) -> None:
    """Streams too; without a trace none is begun."""
    traced = Traced()  # type: ignore[abstract] # As above.
    span = trace.NonRecordingSpan(trace.SpanContext(0xA1, 0xB2, is_remote=True))
    async with listening(traced, contract) as address, calling(address, contract) as clients:
        stub: Any = stub_of(clients)
        with trace.use_span(span):
            await stub.GetStock(STOCK)
            assert [each async for each in stub.WatchStock(pb.WatchStockRequest(skus=["A"]))]
        await stub.GetStock(STOCK)
    assert traced.traces == [f"00-{0xA1:032x}-{0xB2:016x}-00"] * 2 + [""]


@pytest.mark.parametrize(
    ("left", "asked", "expected"), [(None, None, 2.0), (0.7, None, 0.7), (5, 0.5, 0.5), (5, 9, 2.0)]
)
async def test_the_deadline_is_the_shortest_of_all(
    clients: Clients, warehouse: Warehouse, left: float | None, asked: float | None, expected: float
) -> None:
    """The contract's, what is left of the call that is being served, and what was asked for."""
    remaining: list[float] = []

    async def look(_: object) -> Message:
        remaining.append(context.current().remaining() or 0)
        return inventory_pb2.Stock()

    warehouse.answer = look
    with context.serving(for_user(left)):
        await stub_of(clients).GetStock(STOCK, timeout=asked)
    assert expected - 0.45 < remaining[0] <= expected + 0.05  # gRPC rounds to milliseconds


async def test_without_time_left_nothing_is_sent(clients: Clients, warehouse: Warehouse) -> None:
    """The answer could not be of use to anybody."""
    with context.serving(for_user(0)), pytest.raises(errors.DeadlineExceeded, match="no time left"):
        await stub_of(clients).GetStock(STOCK)
    assert warehouse.calls == []


async def test_an_answer_that_is_late_is_given_up(clients: Clients, warehouse: Warehouse) -> None:
    """What became of the call is not known."""

    async def hang(_: object) -> Message:
        await asyncio.sleep(30)
        raise AssertionError

    warehouse.answer = hang
    with pytest.raises(errors.DeadlineExceeded):
        await stub_of(clients).GetStock(STOCK, timeout=0.2)


@pytest.mark.parametrize("kind", errors.BY_CODE.values(), ids=errors.BY_CODE)
async def test_the_error_that_was_raised_there_is_raised_here(
    clients: Clients, warehouse: Warehouse, kind: type[errors.Error]
) -> None:
    """With everything it says, whatever its class."""
    violation = errors.FieldViolation("lines[0].sku", "no such SKU", "SKU_NOT_FOUND")

    async def refuse(_: object) -> Message:
        raise kind("schön ist\nanders", reason="WHY", metadata={"sku": "A"}, violations=[violation])

    warehouse.answer = refuse
    with pytest.raises(kind) as refusal:
        await stub_of(clients).GetStock(STOCK)
    error = refusal.value
    assert (error.message, error.reason, dict(error.metadata)) == ("schön ist\nanders", "WHY", {"sku": "A"})
    assert error.violations == (violation,)


async def test_a_service_that_is_not_there_is_unavailable(contract: Contract) -> None:
    """The same call may do better in a moment."""
    async with calling(f"{HOST}:1", contract) as clients:
        with pytest.raises(errors.Unavailable):
            await stub_of(clients).GetStock(STOCK)


async def test_a_process_with_another_installs_token_is_refused(warehouse: Warehouse, contract: Contract) -> None:
    """Two installs on one machine don't mix."""
    async with listening(warehouse, contract) as address, calling(address, contract, peer="") as clients:
        with pytest.raises(errors.Unauthenticated) as refusal:
            await stub_of(clients).GetStock(STOCK)
    assert refusal.value.reason == "PEER_UNKNOWN"


async def test_clients_of_one_service_share_a_connection(clients: Clients) -> None:
    """However many are opened."""
    opened: list[grpc.aio.Channel] = []

    class Remembering(inventory_grpc.InventoryServiceStub):
        def __init__(self, channel: grpc.aio.Channel) -> None:
            opened.append(channel)
            super().__init__(channel)

    clients.client(Remembering, SERVICE)
    clients.client(Remembering, SERVICE, as_service=True)
    assert opened[0] is opened[1]


async def test_a_service_without_a_contract_has_no_client(clients: Clients) -> None:
    """A typing mistake shows at the start."""
    with pytest.raises(LookupError, match="Inventry"):
        clients.client(inventory_grpc.InventoryServiceStub, "ordermesh.inventory.v1.InventryService")


def made(code: str) -> float:
    """Count the calls of GetStock that this process made and that ended so."""
    labels = {"rpc_method": f"{SERVICE}/GetStock", "rpc_response_status_code": code}
    return prometheus_client.REGISTRY.get_sample_value("rpc_client_call_duration_seconds_count", labels) or 0.0


async def test_calls_are_counted_by_how_they_ended(clients: Clients, warehouse: Warehouse) -> None:
    """One that was not made for lack of time, or given up by the caller, was no success."""
    before = {code: made(code) for code in ("OK", "DEADLINE_EXCEEDED", "CANCELLED")}
    entered = asyncio.Event()

    async def hang(_: object) -> Message:
        entered.set()
        await asyncio.sleep(30)
        raise AssertionError

    await stub_of(clients).GetStock(STOCK)
    with context.serving(for_user(0)), pytest.raises(errors.DeadlineExceeded):
        await stub_of(clients).GetStock(STOCK)
    warehouse.answer = hang
    call = asyncio.ensure_future(stub_of(clients).GetStock(STOCK))
    await entered.wait()
    call.cancel()
    await asyncio.wait({call})
    assert {code: made(code) - count for code, count in before.items()} == dict.fromkeys(before, 1.0)
