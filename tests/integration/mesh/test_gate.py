"""What a call meets on its way to its method, over real gRPC: who is refused, what is said, and what never leaks."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

import grpc
import pytest
import pytest_asyncio
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from mesh import errors, headers, status
from mesh.contract import Contract
from mesh.gate import Gate
from ordermesh.inventory.v1 import inventory_pb2
from ordermesh.inventory.v1 import inventory_service_pb2 as pb
from ordermesh.inventory.v1 import inventory_service_pb2_grpc as inventory_grpc
from tests.integration.mesh.warehouse import (
    SERVICE,
    Warehouse,
    claims_of,
    listening,
    with_deadlines,
)
from tests.peers import EDGE, ORDER_SERVICE, PEER, SaidPeers

ORDER_ID = "01890000-0000-7000-8000-0000000000a1"
USER = "01890000-0000-7000-8000-00000000c001"
STOCK = pb.GetStockRequest(sku="A")
DELIVERY = pb.ReceiveStockRequest(sku="A", quantity=1)
RESERVATION = pb.ReserveStockRequest(order_id=ORDER_ID, lines=[pb.ReservationLine(sku="A", quantity=1)])
Metadata = Mapping[str, str]


def claims(*permissions: str) -> dict[str, str]:
    """Make the header of a user's claims."""
    return {headers.CLAIMS: claims_of(USER, *permissions)}


class Caller:
    """Calls methods as somebody whose headers a test chooses."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        """Use one channel."""
        self._stub = inventory_grpc.InventoryServiceStub(channel)

    async def ask(self, request: Message, metadata: Metadata = ORDER_SERVICE, **options: Any) -> Message:  # noqa: ANN401
        """Call the method that takes such a request."""
        reply: Message = await self.start(request, metadata, **options)
        return reply

    def start(self, request: Message, metadata: Metadata = ORDER_SERVICE, **options: Any) -> Any:  # noqa: ANN401
        """Begin the call."""
        name = type(request).__name__.removesuffix("Request")
        return getattr(self._stub, name)(request, metadata=tuple(metadata.items()), **options)

    async def fails(self, request: Message, metadata: Metadata = ORDER_SERVICE, **options: Any) -> grpc.aio.AioRpcError:  # noqa: ANN401
        """Call the method and give the failure there must be."""
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await self.ask(request, metadata, **options)
        return failure.value


def reason(failure: grpc.aio.AioRpcError) -> str:
    """Read why a call failed."""
    return status.error_from(failure).reason


@pytest.fixture(scope="module")
def contract() -> Contract:
    """Load the contracts."""
    return Contract.load()


@pytest.fixture
def warehouse() -> Warehouse:
    """Make the servicer."""
    return Warehouse()  # type: ignore[abstract] # Nobody asks for the other methods.


@pytest_asyncio.fixture
async def caller(warehouse: Warehouse, contract: Contract) -> AsyncIterator[Caller]:
    """Serve it and connect."""
    async with listening(warehouse, contract) as address, grpc.aio.insecure_channel(address) as channel:
        yield Caller(channel)


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {PEER: ""},
        {PEER: "", **claims("inventory.write")},
    ],
    ids=["nobody", "no name", "claims alone"],
)
@pytest.mark.parametrize("request_", [STOCK, DELIVERY, RESERVATION], ids=["public", "permission", "internal"])
async def test_a_process_that_is_not_of_the_install_is_refused(
    caller: Caller, warehouse: Warehouse, request_: Message, metadata: Metadata
) -> None:
    """Whatever it asks for: the way in is the edge."""
    failure = await caller.fails(request_, metadata)
    assert (failure.code(), reason(failure)) == (grpc.StatusCode.UNAUTHENTICATED, "PEER_UNKNOWN")
    assert warehouse.calls == []


@pytest.mark.parametrize(
    ("request_", "metadata", "refusal"),
    [
        (RESERVATION, EDGE, "INTERNAL_METHOD"),
        (RESERVATION, EDGE | claims("inventory.write"), "INTERNAL_METHOD"),
        (DELIVERY, EDGE, "TOKEN_MISSING"),
        (DELIVERY, EDGE | claims("inventory.read"), "PERMISSION_MISSING"),
        (DELIVERY, ORDER_SERVICE | claims("inventory.read"), "PERMISSION_MISSING"),
        (STOCK, EDGE | {headers.CLAIMS: "%"}, "CLAIMS_MALFORMED"),
    ],
)
async def test_who_may_not_is_refused(
    caller: Caller, warehouse: Warehouse, request_: Message, metadata: Metadata, refusal: str
) -> None:
    """As the contract says it, method by method."""
    assert reason(await caller.fails(request_, metadata)) == refusal
    assert warehouse.calls == []


@pytest.mark.parametrize(
    ("request_", "metadata", "actor"),
    [
        (STOCK, EDGE, "service:edge"),
        (STOCK, EDGE | claims(), f"user:{USER}"),
        (DELIVERY, EDGE | claims("inventory.write"), f"user:{USER}"),
        (DELIVERY, ORDER_SERVICE, "service:order"),
        (RESERVATION, ORDER_SERVICE, "service:order"),
        (RESERVATION, ORDER_SERVICE | claims(), f"user:{USER}"),
    ],
)
async def test_who_may_is_known_to_the_method(
    caller: Caller, warehouse: Warehouse, request_: Message, metadata: Metadata, actor: str
) -> None:
    """The caller is in the context, with the key of the request and nothing of another call."""
    await caller.ask(request_, {**metadata, headers.IDEMPOTENCY_KEY: "k1", headers.REQUEST_ID: "r1"})
    (call,) = warehouse.calls
    assert (call.caller.actor, call.caller.peer) == (actor, metadata[PEER])
    assert (call.request_id, call.idempotency_key, call.claims) == ("r1", "k1", metadata.get(headers.CLAIMS, ""))


async def test_an_invalid_request_names_its_field(caller: Caller, warehouse: Warehouse) -> None:
    """By BadRequest, as AIP-193 has it; the method never sees it."""
    failure = await caller.fails(pb.ReserveStockRequest(order_id="7", lines=RESERVATION.lines))
    error = status.error_from(failure)
    assert failure.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert [(each.field, each.reason) for each in error.violations] == [("order_id", "STRING_UUID")]
    assert warehouse.calls == []


async def test_nothing_is_validated_for_who_may_not_call(caller: Caller) -> None:
    """A stranger learns nothing of what a request must look like."""
    assert reason(await caller.fails(pb.ReserveStockRequest(order_id="7"), EDGE)) == "INTERNAL_METHOD"


async def test_an_error_of_ours_arrives_with_all_it_says(caller: Caller, warehouse: Warehouse) -> None:
    """Code, sentence, reason, metadata and the request's id."""

    async def refuse(_: object) -> Message:
        raise errors.FailedPrecondition("not enough", reason="OUT_OF_STOCK", metadata={"skus": "A"})

    warehouse.answer = refuse
    failure = await caller.fails(RESERVATION, ORDER_SERVICE | {headers.REQUEST_ID: "r1"})
    assert (failure.code(), failure.details()) == (grpc.StatusCode.FAILED_PRECONDITION, "not enough")
    trailers = dict(failure.trailing_metadata() or ())
    assert trailers[headers.REQUEST_ID] == "r1"
    details = status_pb2.Status.FromString(bytes(trailers[status.DETAILS_KEY]))
    info, request = error_details_pb2.ErrorInfo(), error_details_pb2.RequestInfo()
    assert details.details[0].Unpack(info)
    assert details.details[1].Unpack(request)
    assert (info.reason, dict(info.metadata), request.request_id) == ("OUT_OF_STOCK", {"skus": "A"}, "r1")


@pytest.mark.parametrize("defect", [KeyError("a-secret"), TimeoutError("a-secret"), RuntimeError("a-secret")])
async def test_a_defect_becomes_internal_and_tells_nothing(
    caller: Caller, warehouse: Warehouse, defect: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its story is in the log, under the id that the caller can quote."""

    async def fail(_: object) -> Message:
        raise defect

    warehouse.answer = fail
    failure = await caller.fails(STOCK, EDGE | {headers.REQUEST_ID: "r1"})
    assert (failure.code(), reason(failure)) == (grpc.StatusCode.INTERNAL, "INTERNAL")
    assert failure.details() == "something went wrong here; quote request r1"
    assert "a-secret" not in repr(failure.trailing_metadata())
    assert "a-secret" in capsys.readouterr().out


async def test_every_reply_has_a_request_id(caller: Caller) -> None:
    """The caller's own, or a new one."""
    call = caller.start(STOCK, EDGE | {headers.REQUEST_ID: "r1"})
    await call
    assert dict(await call.trailing_metadata())[headers.REQUEST_ID] == "r1"
    first, second = caller.start(STOCK, EDGE), caller.start(STOCK, EDGE)
    await asyncio.gather(first, second)
    ids = {str(dict(await each.trailing_metadata())[headers.REQUEST_ID]) for each in (first, second)}
    assert len(ids) == 2
    assert all(len(each) == 36 for each in ids)


async def test_a_method_that_takes_too_long_is_stopped(warehouse: Warehouse, contract: Contract) -> None:
    """By the contract's deadline, although the caller would wait; what it was doing is cancelled."""
    stopped = asyncio.Event()

    async def hang(_: object) -> Message:
        try:
            await asyncio.sleep(30)
        finally:
            stopped.set()
        raise AssertionError

    warehouse.answer = hang
    impatient = with_deadlines(contract, 0.2)
    async with listening(warehouse, impatient) as address, grpc.aio.insecure_channel(address) as channel:
        failure = await Caller(channel).fails(STOCK, EDGE, timeout=20)
    assert (failure.code(), failure.details()) == (grpc.StatusCode.DEADLINE_EXCEEDED, "no answer within 0.2 s")
    assert stopped.is_set()


async def test_a_caller_who_waits_less_is_believed(caller: Caller, warehouse: Warehouse) -> None:
    """The method knows how much time is left; when the caller is gone, it is stopped."""
    stopped = asyncio.Event()

    async def hang(_: object) -> Message:
        try:
            await asyncio.sleep(30)
        finally:
            stopped.set()
        raise AssertionError

    warehouse.answer = hang
    failure = await caller.fails(STOCK, EDGE, timeout=0.3)
    assert failure.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    await asyncio.wait_for(stopped.wait(), 5)
    warehouse.answer = None
    await caller.ask(STOCK, EDGE)
    short, usual = warehouse.calls
    assert short.deadline is not None
    assert usual.deadline is not None
    assert usual.deadline - short.deadline > 1.0
    assert 1.0 < (usual.remaining() or 0) <= 2.0


async def test_more_calls_than_there_is_room_for_are_turned_away_at_once(
    warehouse: Warehouse, contract: Contract
) -> None:
    """Those inside are not disturbed, and there is room again when they are done."""
    go_on, inside = asyncio.Event(), asyncio.Barrier(3)

    async def wait(_: object) -> Message:
        await inside.wait()
        await go_on.wait()
        return inventory_pb2.Stock(sku="A")

    warehouse.answer = wait
    async with (
        listening(warehouse, contract, most_at_once=2) as address,
        grpc.aio.insecure_channel(address) as channel,
    ):
        caller = Caller(channel)
        under_way = [caller.start(STOCK, EDGE), caller.start(STOCK, EDGE)]
        await inside.wait()
        failure = await caller.fails(STOCK, EDGE)
        assert (failure.code(), reason(failure)) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED")
        go_on.set()
        assert [(await each).sku for each in under_way] == ["A", "A"]
        warehouse.answer = None
        await caller.ask(STOCK, EDGE)


async def test_a_method_without_a_contract_is_refused(warehouse: Warehouse) -> None:
    """What nobody wrote a policy for is open to nobody."""
    async with listening(warehouse, Contract({})) as address, grpc.aio.insecure_channel(address) as channel:
        failure = await Caller(channel).fails(STOCK, ORDER_SERVICE)
    assert (failure.code(), reason(failure)) == (grpc.StatusCode.UNIMPLEMENTED, "METHOD_UNKNOWN")


async def test_calls_at_once_do_not_see_each_other(caller: Caller, warehouse: Warehouse) -> None:
    """Each is served in a context of its own."""
    all_in = asyncio.Barrier(20)

    async def meet(request: pb.GetStockRequest) -> Message:
        await all_in.wait()
        return inventory_pb2.Stock(sku=request.sku)

    warehouse.answer = meet
    await asyncio.gather(*(caller.ask(STOCK, EDGE | {headers.REQUEST_ID: f"r{at}"}) for at in range(20)))
    assert {call.request_id for call in warehouse.calls} == {f"r{at}" for at in range(20)}


async def test_errors_with_long_details_still_arrive(caller: Caller, warehouse: Warehouse) -> None:
    """Status details travel in a header, and headers are bounded: the code and the reason count most."""
    skus = ",".join(f"{at:03}" + "X" * 61 for at in range(100))

    async def refuse(_: object) -> Message:
        violations = [errors.FieldViolation(f"lines[{at}].sku", "\N{SNOWMAN}" * 200, "SHORT") for at in range(100)]
        raise errors.FailedPrecondition(
            f"not enough in stock of {skus} \N{SNOWMAN}", reason="SHORT", metadata={"skus": skus}, violations=violations
        )

    warehouse.answer = refuse
    failure = await caller.fails(RESERVATION)
    error = status.error_from(failure)
    assert (failure.code(), error.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "SHORT")
    assert error.message.startswith("not enough in stock of 000X")
    assert error.metadata["skus"].startswith("000X")
    assert error.violations[0].field == "lines[0].sku"


async def test_a_request_id_is_bounded(caller: Caller) -> None:
    """It comes back with every reply, and goes into every event."""
    call = caller.start(STOCK, EDGE | {headers.REQUEST_ID: "r" * 4000})
    await call
    assert dict(await call.trailing_metadata())[headers.REQUEST_ID] == "r" * 128


TOO_LARGE = 5 * 1024 * 1024


async def test_messages_and_headers_are_bounded(caller: Caller, warehouse: Warehouse) -> None:
    """Four MiB for a message, either way, and 16 KiB for all headers; the method sees nothing of what is larger."""
    for request, metadata in (
        (pb.GetStockRequest(sku="A" * TOO_LARGE), EDGE),
        (STOCK, EDGE | {"x-large": "a" * 64 * 1024}),
    ):
        assert (await caller.fails(request, metadata)).code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert warehouse.calls == []

    async def much(_: object) -> Message:
        return inventory_pb2.Stock(sku="A" * TOO_LARGE)

    warehouse.answer = much
    assert (await caller.fails(STOCK, EDGE)).code() is grpc.StatusCode.RESOURCE_EXHAUSTED


class Late:
    """A call of the edge whose time is up when it is looked at."""

    def __init__(self) -> None:
        """Nothing is answered yet."""
        self.code: grpc.StatusCode | None = None

    def invocation_metadata(self) -> Any:  # noqa: ANN401 - grpc.aio's own
        """Say who calls."""
        return tuple(EDGE.items())

    def time_remaining(self) -> float:
        """No time is left."""
        return 0.0

    def set_trailing_metadata(self, _: object) -> None:
        """Forget it."""

    async def abort(self, code: grpc.StatusCode, *_: object) -> None:
        """Note the code and end, as grpc.aio does."""
        self.code = code
        raise grpc.aio.AbortError


async def test_a_call_that_comes_too_late_is_not_begun(contract: Contract) -> None:
    """Nobody waits for its answer any more."""
    begun = []

    async def method(_: object, __: object) -> None:
        begun.append(1)

    class Details:
        method = f"/{SERVICE}/GetStock"

    async def handler(_: object) -> Any:  # noqa: ANN401 - grpc's own handlers
        return grpc.unary_unary_rpc_method_handler(method)

    guarded = await Gate(contract, SaidPeers(), 1).intercept_service(handler, Details())  # type: ignore[arg-type]
    late = Late()
    with pytest.raises(grpc.aio.AbortError):
        await guarded.unary_unary(STOCK, late)
    assert (late.code, begun) == (grpc.StatusCode.DEADLINE_EXCEEDED, [])
