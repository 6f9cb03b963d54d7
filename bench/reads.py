"""The read path: what our services answer over gRPC, called directly, beside the mesh alone and the bare echo."""

import contextlib
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack

from google.protobuf.message import Message

from bench import calls, gated
from bench.aside import beside
from bench.calls import Target
from bench.results import Sizes
from bench.shop import Placed
from bench.stack import Stack
from mesh import context
from mesh.client import Clients
from mesh.client import Target as Address
from mesh.contract import Contract
from mesh.settings import MeshSettings
from ordermesh.order.v1 import order_pb2, order_service_pb2, order_service_pb2_grpc
from ordermesh.product.v1 import product_service_pb2, product_service_pb2_grpc

ORDER, PRODUCT = gated.SERVICE, "ordermesh.product.v1.ProductService"
ECHO = calls.ECHO
MESH_ONLY = "GetOrder, mesh only"
GET_ORDER, GET_PRODUCT = "GetOrder", "GetProduct"


@contextlib.asynccontextmanager
async def targets(
    stack: Stack, placed: Placed, product_id: str
) -> AsyncIterator[tuple[list[Target], Mapping[str, Sizes]]]:
    """Make ready whom to call, the echo first, as the customer who placed an order; with the sizes of the messages."""
    async with AsyncExitStack() as held:
        held.enter_context(_speaking_for(placed))
        clients = await held.enter_async_context(_clients(stack.peer_token, stack.address))
        orders = clients.client(order_service_pb2_grpc.OrderServiceStub, ORDER)
        products = clients.client(product_service_pb2_grpc.ProductServiceStub, PRODUCT)
        wanted = order_service_pb2.GetOrderRequest(id=placed.order_id)
        sought = product_service_pb2.GetProductRequest(id=product_id)
        order, product = await orders.GetOrder(wanted), await products.GetProduct(sought)
        sizes = {GET_ORDER: _sizes(wanted, order), GET_PRODUCT: _sizes(sought, product)}
        echo = await held.enter_async_context(calls.floor(sizes[GET_ORDER].request, sizes[GET_ORDER].reply))
        yield (
            [
                echo,
                await held.enter_async_context(_mesh_only(wanted, order)),
                Target(GET_ORDER, lambda: orders.GetOrder(wanted), stack.pids["order"]),
                Target(GET_PRODUCT, lambda: products.GetProduct(sought), stack.pids["product"]),
            ],
            sizes,
        )


@contextlib.asynccontextmanager
async def _mesh_only(wanted: order_service_pb2.GetOrderRequest, order: order_pb2.Order) -> AsyncIterator[Target]:
    async with (
        beside(gated.__name__, order.SerializeToString().hex()) as server,
        _clients(gated.PEER_TOKEN, lambda _: f"{gated.HOST}:{server.ready}") as clients,
    ):
        orders = clients.client(order_service_pb2_grpc.OrderServiceStub, ORDER)
        yield Target(MESH_ONLY, lambda: orders.GetOrder(wanted), server.pid)


@contextlib.asynccontextmanager
async def _clients(peer_token: str, address: Address) -> AsyncIterator[Clients]:
    settings = MeshSettings(service="bench", port=1, metrics_port=1, peer_token=peer_token)
    clients = Clients(Contract.load(), settings, target=address)
    try:
        yield clients
    finally:
        await clients.close()


@contextlib.contextmanager
def _speaking_for(placed: Placed) -> Iterator[None]:
    """Call as the edge does for a customer: with the claims of their token, which is its second part."""
    call = context.Call(request_id="", caller=context.Caller(), claims=placed.customer.token.split(".")[1])
    with context.serving(call):
        yield


def _sizes(request: Message, reply: Message) -> Sizes:
    return Sizes(request.ByteSize(), reply.ByteSize())
