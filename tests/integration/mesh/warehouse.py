"""A process of the mesh in small: the inventory contract behind the gate, served on loopback and answered by a test."""

import base64
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import grpc
from google.protobuf.message import Message

from mesh import context
from mesh.client import Clients
from mesh.contract import Contract
from mesh.gate import Gate
from mesh.server import SERVER_OPTIONS
from ordermesh.inventory.v1 import inventory_pb2
from ordermesh.inventory.v1 import inventory_service_pb2_grpc as inventory_grpc
from tests.peers import SaidPeers, dial_as

HOST = "127.0.0.1"
SERVICE = "ordermesh.inventory.v1.InventoryService"


NEVER = 2**40


def claims_of(user_id: str, *permissions: str) -> str:
    """Encode the claims of a user as the edge does."""
    payload = json.dumps({"sub": user_id, "permissions": permissions, "exp": NEVER}).encode()
    return base64.urlsafe_b64encode(payload).rstrip(b"=").decode()


Answer = Callable[[Any], Awaitable[Message]]


class Warehouse(inventory_grpc.InventoryServiceServicer):
    """Answers GetStock (public), ReceiveStock (by permission) and ReserveStock (internal) as the test says.

    `calls` are those that got through, as the method saw them.
    """

    def __init__(self) -> None:
        """Answer with the stock or the reservation asked for."""
        self.calls: list[context.Call] = []
        self.answer: Answer | None = None

    async def GetStock(self, request: Any, _: object) -> Any:  # noqa: ANN401, N802 - gRPC's own
        """Tell the stock of a SKU."""
        return await self._give(request, inventory_pb2.Stock(sku=request.sku))

    async def ReceiveStock(self, request: Any, _: object) -> Any:  # noqa: ANN401, N802 - gRPC's own
        """Book units."""
        return await self._give(request, inventory_pb2.Stock(sku=request.sku, on_hand=request.quantity))

    async def ReserveStock(self, request: Any, _: object) -> Any:  # noqa: ANN401, N802 - gRPC's own
        """Hold units."""
        return await self._give(request, inventory_pb2.Reservation(order_id=request.order_id))

    async def _give(self, request: Message, usually: Message) -> Message:
        self.calls.append(context.current())
        return await self.answer(request) if self.answer else usually


@dataclass(frozen=True)
class Serving:
    """Where a servicer is reached, and the gate before it."""

    address: str
    gate: Gate


@asynccontextmanager
async def serving(
    servicer: Warehouse, contract: Contract, most_calls: int = 512, most_streams: int = 512
) -> AsyncIterator[Serving]:
    """Serve on a free port."""
    gate = Gate(contract, SaidPeers(), most_calls, most_streams)
    server = grpc.aio.server(interceptors=(gate,), options=SERVER_OPTIONS)
    inventory_grpc.add_InventoryServiceServicer_to_server(servicer, server)
    port = server.add_insecure_port(f"{HOST}:0")
    await server.start()
    try:
        yield Serving(f"{HOST}:{port}", gate)
    finally:
        await server.stop(None)


@asynccontextmanager
async def listening(servicer: Warehouse, contract: Contract, most_at_once: int = 512) -> AsyncIterator[str]:
    """Serve on a free port and give the address."""
    async with serving(servicer, contract, most_at_once) as served:
        yield served.address


@asynccontextmanager
async def calling(address: str, contract: Contract, peer: str = "order") -> AsyncIterator[Clients]:
    """Be the order service, which finds everybody at one address."""
    clients = Clients(contract, dial=dial_as(peer, address))
    try:
        yield clients
    finally:
        await clients.close()


def with_deadlines(contract: Contract, seconds: float) -> Contract:
    """Give every method the same deadline."""
    policies = (replace(each, deadline=timedelta(seconds=seconds)) for each in contract.methods)
    return Contract({each.full_name: each for each in policies})
