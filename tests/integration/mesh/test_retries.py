"""gRPC's own retries against a service that fails whatever it is asked: they stay a share of what was asked."""

import asyncio
import json
from collections.abc import AsyncIterator

import grpc
import prometheus_client
import pytest
import pytest_asyncio
from google.protobuf.message import Message

from mesh import budget, errors
from mesh.contract import Contract
from ordermesh.inventory.v1 import inventory_service_pb2 as pb
from ordermesh.inventory.v1 import inventory_service_pb2_grpc as inventory_grpc
from tests.integration.mesh.warehouse import Warehouse, listening
from tests.peers import EDGE

# What the control plane tells gRPC by a route's retry policy, said without it.
POLICY = {
    "maxAttempts": 4,
    "initialBackoff": "0.01s",
    "maxBackoff": "0.01s",
    "backoffMultiplier": 1,
    "retryableStatusCodes": ["UNAVAILABLE", "CANCELLED"],
}
RETRYING = (("grpc.service_config", json.dumps({"methodConfig": [{"name": [{}], "retryPolicy": POLICY}]})),)
METADATA = tuple(EDGE.items())


class Failing(Warehouse):
    """Fails so many times, and counts how often it was asked."""

    def __init__(self) -> None:
        """Fail always."""
        super().__init__()
        self.failures = 10**9
        self.answer = self._fail

    async def _fail(self, _: object) -> Message:
        if len(self.calls) <= self.failures:
            raise errors.Unavailable("the database is away")
        return pb.BatchGetStockResponse()


@pytest.fixture
def failing() -> Failing:
    """Make the servicer."""
    return Failing()  # type: ignore[abstract] # Nobody asks for the other methods.


@pytest_asyncio.fixture
async def stub(failing: Failing) -> AsyncIterator[inventory_grpc.InventoryServiceStub]:
    """Serve it, and connect as a client that retries."""
    async with (
        listening(failing, Contract.load()) as address,
        grpc.aio.insecure_channel(address, options=RETRYING) as channel,
    ):
        yield inventory_grpc.InventoryServiceStub(channel)


async def ask(stub: inventory_grpc.InventoryServiceStub) -> grpc.StatusCode:
    """Ask once, as far as the caller knows."""
    try:
        await stub.GetStock(pb.GetStockRequest(sku="A"), metadata=METADATA)
    except grpc.aio.AioRpcError as failure:
        return failure.code()
    return grpc.StatusCode.OK


def refused() -> float:
    """Count the retries that were refused."""
    return prometheus_client.REGISTRY.get_sample_value("rpc_server_retries_refused_total") or 0.0


async def test_a_dead_service_is_asked_a_share_more_and_not_four_times(
    stub: inventory_grpc.InventoryServiceStub, failing: Failing
) -> None:
    """However many ask at once; what is refused is counted."""
    before = refused()
    for _ in range(10):
        codes = await asyncio.gather(*(ask(stub) for _ in range(30)))
        assert set(codes) == {grpc.StatusCode.UNAVAILABLE}
    assert 300 < len(failing.calls) <= 300 * (1 + budget.SHARE) + budget.RESERVE
    assert refused() - before >= 300 - 300 * budget.SHARE - budget.RESERVE


async def test_a_single_failure_is_still_mended(stub: inventory_grpc.InventoryServiceStub, failing: Failing) -> None:
    """The caller doesn't notice."""
    failing.failures = 2
    assert await ask(stub) is grpc.StatusCode.OK
    assert len(failing.calls) == 3
