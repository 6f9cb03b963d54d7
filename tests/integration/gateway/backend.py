"""What stands behind the edge in these tests: one gRPC server for all services, which keeps what reached it."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import grpc

from mesh import errors
from mesh.certificates import Files
from mesh.status import DETAILS_KEY, details_of, grpc_code
from ordermesh.auth.v1 import auth_pb2, auth_service_pb2, auth_service_pb2_grpc
from ordermesh.inventory.v1 import inventory_pb2, inventory_service_pb2, inventory_service_pb2_grpc
from ordermesh.order.v1 import order_pb2, order_service_pb2, order_service_pb2_grpc
from ordermesh.payment.v1 import (
    reconciliation_service_pb2,
    reconciliation_service_pb2_grpc,
    webhook_service_pb2,
    webhook_service_pb2_grpc,
)
from ordermesh.product.v1 import product_pb2, product_service_pb2, product_service_pb2_grpc
from tests.integration.gateway.authority import credentials
from tests.integration.gateway.tokens import PUBLIC_KEY

Context = grpc.aio.ServicerContext[Any, Any]
# As our services are (mesh/server.py): the edge asks every second whether an instance hangs.
OPTIONS = (("grpc.so_reuseport", 0), ("grpc.http2.max_ping_strikes", 0))
MISSING = "missing"
SLOW = "slow"
BROKEN = "broken"
DRAINING = errors.Unavailable('this "instance" stops: 100 %, \\ é', reason="DRAINING")
NO_SKU = errors.InvalidArgument(
    'shipping_address.region_code: "[is] none"',
    reason="INVALID_REQUEST",
    violations=[
        errors.FieldViolation("shipping_address.region_code", 'a "[" too many', "STRING_PATTERN"),
        errors.FieldViolation("lines[0].sku", "leave nothing out", "REQUIRED"),
    ],
    retry_after=timedelta(seconds=7),
)


class Backend(
    auth_service_pb2_grpc.AuthServiceServicer,
    inventory_service_pb2_grpc.InventoryServiceServicer,
    order_service_pb2_grpc.OrderServiceServicer,
    webhook_service_pb2_grpc.WebhookServiceServicer,
    reconciliation_service_pb2_grpc.ReconciliationServiceServicer,
    product_service_pb2_grpc.ProductServiceServicer,
):
    """Answers with what it was asked; `calls` counts, everything else is the last call's, the `certificate` as PEM."""

    def __init__(self, port: int, member: Files) -> None:
        """Prepare one that is not started, and will be who the certificate says."""
        self.port = port
        self.member = member
        self.calls = 0
        self.metadata: dict[str, str] = {}
        self.certificate = b""
        self.time_remaining: float | None = None
        self.failures = 0
        self.product_name = "lamp"
        self.delivered = webhook_service_pb2.ReceiveWebhookRequest()
        self._server: grpc.aio.Server | None = None

    async def start(self) -> None:
        """Listen; also again."""
        server = grpc.aio.server(options=OPTIONS)
        self.register(server)
        server.add_secure_port(f"127.0.0.1:{self.port}", credentials(self.member))
        await server.start()
        self._server = server

    def register(self, server: grpc.aio.Server) -> None:
        """Serve what it is."""
        auth_service_pb2_grpc.add_AuthServiceServicer_to_server(self, server)
        inventory_service_pb2_grpc.add_InventoryServiceServicer_to_server(self, server)
        order_service_pb2_grpc.add_OrderServiceServicer_to_server(self, server)
        webhook_service_pb2_grpc.add_WebhookServiceServicer_to_server(self, server)
        reconciliation_service_pb2_grpc.add_ReconciliationServiceServicer_to_server(self, server)
        product_service_pb2_grpc.add_ProductServiceServicer_to_server(self, server)

    async def stop(self) -> None:
        """Stop listening."""
        if self._server:
            await self._server.stop(0)
            self._server = None

    async def GetJsonWebKeySet(  # noqa: N802
        self, _request: auth_service_pb2.GetJsonWebKeySetRequest, _context: Context
    ) -> auth_service_pb2.JsonWebKeySet:
        """Tell the key that the tests sign with."""
        return auth_service_pb2.JsonWebKeySet(keys=[auth_pb2.JsonWebKey(**PUBLIC_KEY)])

    async def Login(self, _request: auth_service_pb2.LoginRequest, context: Context) -> auth_service_pb2.LoginResponse:  # noqa: N802
        """Let everybody in."""
        self._note(context)
        return auth_service_pb2.LoginResponse(token_type="Bearer", access_token="x" * 1000)

    async def GetStock(self, request: inventory_service_pb2.GetStockRequest, context: Context) -> inventory_pb2.Stock:  # noqa: N802
        """Have none of anything."""
        self._note(context)
        return inventory_pb2.Stock(sku=request.sku)

    async def ReceiveStock(  # noqa: N802
        self, request: inventory_service_pb2.ReceiveStockRequest, context: Context
    ) -> inventory_pb2.Stock:
        """Have what came."""
        self._note(context)
        return inventory_pb2.Stock(sku=request.sku, available=request.quantity)

    async def GetOrder(self, request: order_service_pb2.GetOrderRequest, context: Context) -> order_pb2.Order:  # noqa: N802
        """Find every order but MISSING; fail as often as `failures` says before."""
        self._note(context)
        if self.failures:
            self.failures -= 1
            await context.abort(grpc.StatusCode.UNAVAILABLE, "not now")
        if request.id == MISSING:
            await _refuse(context, errors.NotFound("there is no such order", reason="ORDER_NOT_FOUND"))
        if request.id == SLOW:
            await asyncio.sleep(30)
        return order_pb2.Order(id=request.id, etag="3")

    async def CreateOrder(self, request: order_service_pb2.CreateOrderRequest, context: Context) -> order_pb2.Order:  # noqa: N802
        """Take the order, or fail as GetOrder does; find fault with a line without a SKU."""
        self._note(context)
        if request.lines and not request.lines[0].sku:
            await _refuse(context, NO_SKU)
        if self.failures:
            self.failures -= 1
            await context.abort(grpc.StatusCode.UNAVAILABLE, "not now")
        return order_pb2.Order(id="new", lines=[order_pb2.OrderLine(sku=line.sku) for line in request.lines])

    async def CancelOrder(self, request: order_service_pb2.CancelOrderRequest, context: Context) -> order_pb2.Order:  # noqa: N802
        """Cancel anything but MISSING, which is not what the caller saw."""
        self._note(context)
        if request.id == MISSING:
            await _refuse(context, errors.Aborted("it has changed", reason="ORDER_CHANGED"))
        return order_pb2.Order(id=request.id, state=order_pb2.Order.CANCELLED)

    async def GetProduct(  # noqa: N802
        self, request: product_service_pb2.GetProductRequest, context: Context
    ) -> product_pb2.Product:
        """Find every product but MISSING, by its present name."""
        self._note(context)
        if request.id == MISSING:
            await _refuse(context, errors.NotFound("there is no such product", reason="PRODUCT_NOT_FOUND"))
        return product_pb2.Product(id=request.id, name=self.product_name, description="d" * 500)

    async def ListProducts(  # noqa: N802
        self, _request: product_service_pb2.ListProductsRequest, context: Context
    ) -> product_service_pb2.ListProductsResponse:
        """Take a while to find one, so that many ask meanwhile."""
        self._note(context)
        await asyncio.sleep(0.2)
        return product_service_pb2.ListProductsResponse(products=[product_pb2.Product(name=self.product_name)])

    async def ReceiveWebhook(  # noqa: N802
        self, request: webhook_service_pb2.ReceiveWebhookRequest, context: Context
    ) -> webhook_service_pb2.ReceiveWebhookResponse:
        """Keep what was delivered."""
        self._note(context)
        self.delivered = request
        return webhook_service_pb2.ReceiveWebhookResponse()

    async def ReconcileSettlement(  # noqa: N802
        self,
        request_iterator: AsyncIterator[reconciliation_service_pb2.ReconcileSettlementRequest],
        context: Context,
    ) -> reconciliation_service_pb2.Reconciliation:
        """Count the bytes of the file."""
        self._note(context)
        parts = [each async for each in request_iterator]
        count = sum(len(each.file.data) for each in parts)
        return reconciliation_service_pb2.Reconciliation(
            gateway=parts[0].gateway, start_time=parts[0].start_time, settled_count=count
        )

    async def WatchOrder(  # noqa: N802
        self, request: order_service_pb2.WatchOrderRequest, context: Context
    ) -> AsyncIterator[order_pb2.Order]:
        """Watch an order on its short way; BROKEN fails on it, SLOW stays, MISSING never sets out."""
        self._note(context)
        if request.id == MISSING:
            await _refuse(context, errors.NotFound("there is no such order", reason="ORDER_NOT_FOUND"))
        for state in (order_pb2.Order.PENDING, order_pb2.Order.CONFIRMED):
            yield order_pb2.Order(id=request.id, state=state)
            if request.id == BROKEN:
                await _refuse(context, DRAINING)
            if request.id == SLOW:
                await asyncio.sleep(30)

    def _note(self, context: Context) -> None:
        self.calls += 1
        self.metadata = {key: str(value) for key, value in context.invocation_metadata() or ()}
        (self.certificate,) = context.auth_context()["x509_pem_cert"]
        self.time_remaining = context.time_remaining()


async def _refuse(context: Context, error: errors.Error) -> None:
    await context.abort(grpc_code(error), error.message, ((DETAILS_KEY, details_of(error, "")),))
