"""Headers that gRPC cannot carry: a client that sends them harms nobody, least of all the instance that is asked."""

import grpc
import httpx
import pytest

from ordermesh.inventory.v1 import inventory_service_pb2, inventory_service_pb2_grpc
from tests.integration.gateway.installation import Edge

pytestmark = pytest.mark.asyncio(loop_scope="package")

# HTTP allows each of them; gRPC would answer INTERNAL, and Envoy put the instance out of the mesh for that.
UNREADABLE = {
    "a name outside of gRPC's alphabet": ("it's", "1"),
    "binary metadata that is none": ("trace-bin", "!!!"),
    "no length of time": ("grpc-timeout", "soon"),
    "no encoding": ("grpc-encoding", "zip"),
    "no count": ("grpc-previous-rpc-attempts", "many"),
    "what gRPC says to itself": ("grpc-internal-encoding-request", "x"),
}


@pytest.mark.parametrize(("name", "value"), UNREADABLE.values(), ids=UNREADABLE)
async def test_a_header_that_grpc_cannot_read_stays_at_the_edge(
    edge: Edge, http: httpx.AsyncClient, name: str, value: str
) -> None:
    """The request is answered as if it had not been sent."""
    reply = await http.get("/api/v1/inventory/A", headers={name: value})

    assert reply.status_code == 200, reply.text
    assert name not in edge.backend.metadata


async def test_a_deadline_of_a_grpc_client_is_kept(edge: Edge) -> None:
    """Well-formed headers of gRPC pass."""
    async with grpc.aio.insecure_channel(edge.target) as channel:
        stub = inventory_service_pb2_grpc.InventoryServiceStub(channel)
        await stub.GetStock(inventory_service_pb2.GetStockRequest(sku="A"), timeout=1.5)

    assert edge.backend.time_remaining is not None
    assert edge.backend.time_remaining <= 1.5
