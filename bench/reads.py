"""The read path: what our services answer over gRPC, called directly, beside the mesh alone and the bare echo."""

import contextlib
import json
import os
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack

import grpc
from google.protobuf.message import Message

from bench import calls, gated
from bench.aside import beside
from bench.calls import Target
from bench.results import Sizes
from bench.shop import Placed
from bench.stack import Stack
from deploy.native.provision.environment import control_planes
from mesh import context
from mesh.certificates import Files
from mesh.client import OPTIONS, Clients, Interceptors
from mesh.contract import Contract
from mesh.settings import MeshSettings
from mesh.xds import bootstrap
from ordermesh.order.v1 import order_pb2, order_service_pb2, order_service_pb2_grpc
from ordermesh.product.v1 import product_service_pb2, product_service_pb2_grpc

ORDER, PRODUCT = gated.SERVICE, "ordermesh.product.v1.ProductService"
ECHO = calls.ECHO
Address = Callable[[str], str]

MESH_ONLY = "GetOrder, mesh only"
GET_ORDER, BY_XDS, GET_PRODUCT = "GetOrder", "GetOrder, by xDS", "GetProduct"


@contextlib.asynccontextmanager
async def targets(
    stack: Stack, placed: Placed, product_id: str
) -> AsyncIterator[tuple[list[Target], Mapping[str, Sizes]]]:
    """Make ready whom to call, the echo first, as the customer who placed an order; with the sizes of the messages."""
    async with AsyncExitStack() as held:
        held.enter_context(_speaking_for(placed))
        clients = await held.enter_async_context(_clients(stack.identity, stack.address))
        orders = clients.client(order_service_pb2_grpc.OrderServiceStub, ORDER)
        products = clients.client(product_service_pb2_grpc.ProductServiceStub, PRODUCT)
        found = await held.enter_async_context(_found_by_xds(stack))
        wanted = order_service_pb2.GetOrderRequest(id=placed.order_id)
        sought = product_service_pb2.GetProductRequest(id=product_id)
        order, product = await orders.GetOrder(wanted), await products.GetProduct(sought)
        sizes = {GET_ORDER: _sizes(wanted, order), GET_PRODUCT: _sizes(sought, product)}
        echo = await held.enter_async_context(calls.floor(sizes[GET_ORDER].request, sizes[GET_ORDER].reply))
        yield (
            [
                echo,
                await held.enter_async_context(_mesh_only(stack.identity, wanted, order)),
                Target(GET_ORDER, lambda: orders.GetOrder(wanted), stack.pids["order"]),
                Target(BY_XDS, lambda: found.GetOrder(wanted), stack.pids["order"]),
                Target(GET_PRODUCT, lambda: products.GetProduct(sought), stack.pids["product"]),
            ],
            sizes,
        )


@contextlib.asynccontextmanager
async def _mesh_only(
    identity: Files, wanted: order_service_pb2.GetOrderRequest, order: order_pb2.Order
) -> AsyncIterator[Target]:
    async with (
        beside(gated.__name__, str(identity.folder), order.SerializeToString().hex()) as server,
        _clients(identity, lambda _: f"{gated.HOST}:{server.ready}") as clients,
    ):
        orders = clients.client(order_service_pb2_grpc.OrderServiceStub, ORDER)
        yield Target(MESH_ONLY, lambda: orders.GetOrder(wanted), server.pid)


@contextlib.asynccontextmanager
async def _clients(identity: Files, address: Address) -> AsyncIterator[Clients]:
    """Call with a certificate, straight to an address."""
    parts = (identity.authorities, identity.key, identity.certificate)
    credentials = grpc.ssl_channel_credentials(*(part.read_bytes() for part in parts))

    def dial(domain: str, interceptors: Interceptors) -> grpc.aio.Channel:
        return grpc.aio.secure_channel(address(domain), credentials, options=OPTIONS, interceptors=interceptors)

    clients = Clients(Contract.load(), dial=dial)
    try:
        yield clients
    finally:
        await clients.close()


@contextlib.asynccontextmanager
async def _found_by_xds(stack: Stack) -> AsyncIterator[order_service_pb2_grpc.OrderServiceStub]:
    """Have the control plane say where orders are, as services do."""
    settings = MeshSettings(service="bench", port=1, metrics_port=1, control_plane=control_planes(stack.runtime))
    os.environ["GRPC_XDS_BOOTSTRAP_CONFIG"] = json.dumps(bootstrap(settings, stack.identity))
    clients = Clients(Contract.load())
    try:
        yield clients.client(order_service_pb2_grpc.OrderServiceStub, ORDER)
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
