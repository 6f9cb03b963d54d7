"""Traffic from outside and from inside the mesh, as a process of its own that writes down each call it made.

    python -m tests.chaos.traffic PLAN CALLS

PLAN is a file with a Plan as JSON; a line of CALLS is a Call. It ends when its standard input does. From outside come
customers, over REST and over gRPC with TLS; from inside the order service, over xDS as `mesh.client` has it.
"""

import asyncio
import json
import os
import sys
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from itertools import cycle
from pathlib import Path
from typing import Any, TextIO

import grpc
import httpx
from google.rpc import code_pb2
from google.type.postal_address_pb2 import PostalAddress

from mesh import errors
from mesh.client import Clients
from mesh.contract import Contract
from mesh.identity import joined
from mesh.settings import MeshSettings
from mesh.xds import write_bootstrap
from ordermesh.auth.v1 import auth_service_pb2 as auth
from ordermesh.auth.v1 import auth_service_pb2_grpc as auth_grpc
from ordermesh.inventory.v1 import inventory_service_pb2 as inventory
from ordermesh.inventory.v1 import inventory_service_pb2_grpc as inventory_grpc
from ordermesh.notification.v1 import notification_service_pb2 as notification
from ordermesh.notification.v1 import notification_service_pb2_grpc as notification_grpc
from ordermesh.order.v1 import order_pb2
from ordermesh.order.v1 import order_service_pb2 as order
from ordermesh.order.v1 import order_service_pb2_grpc as order_grpc
from ordermesh.payment.v1 import payment_service_pb2 as payment
from ordermesh.payment.v1 import payment_service_pb2_grpc as payment_grpc
from ordermesh.product.v1 import product_service_pb2 as product
from ordermesh.product.v1 import product_service_pb2_grpc as product_grpc
from tests.chaos.calls import Call
from tests.e2e.shop import order_of

REST, EDGE, MESH = "REST", "gRPC through the edge", "inside the mesh"
PAUSE_SECONDS = 0.02
"""Between two calls of one caller: what happens is to be seen, not how much the machine can do."""


@dataclass(frozen=True)
class Plan:
    """Whom to call, as whom: customers' tokens, an order and a SKU of each, and the settings of the order service.

    `authority` is who signed the edge's certificate, PEM; `callers` how many there are of each way.
    """

    rest: str
    grpc: str
    authority: str
    tokens: Sequence[str]
    orders: Sequence[str]
    skus: Sequence[str]
    environment: dict[str, str]
    callers: dict[str, int]


Outcome = tuple[str, str]
Make = Callable[[], Awaitable[Outcome]]
Round = Sequence[tuple[str, Make]]
"""Methods (`Service/Method` without the package) and how to call each of them once."""


class Recorder:
    """Writes calls down."""

    def __init__(self, output: TextIO) -> None:
        """A line each."""
        self._output = output
        self._classes = {_short(each.full_name): each.idempotency.name for each in Contract.load().methods}

    async def record(self, via: str, method: str, make: Make) -> None:
        """Make a call."""
        begun = time.time()
        code, details = await make()
        call = Call(via, method, self._classes[method], begun, time.time(), code, details)
        self._output.write(json.dumps(asdict(call)) + "\n")
        self._output.flush()


def _short(full_name: str) -> str:
    return full_name.rsplit(".", 1)[-1]


def over_rest(http: httpx.AsyncClient, plan: Plan, customer: int) -> Round:
    """What a web shop asks."""
    headers, sku = {"authorization": f"Bearer {plan.tokens[customer]}"}, plan.skus[customer]

    def ask(verb: str, path: str, **more: Any) -> Make:  # noqa: ANN401 - httpx's own arguments
        async def make() -> Outcome:
            try:
                own = {"Idempotency-Key": str(uuid.uuid4())} if verb == "POST" else {}
                return _of_reply(await http.request(verb, path, headers=headers | own, **more))
            except httpx.TransportError as failure:
                return "TRANSPORT", repr(failure)

        return make

    return (
        ("OrderService/CreateOrder", ask("POST", "/api/v1/orders", json=order_of(sku))),
        ("OrderService/GetOrder", ask("GET", f"/api/v1/orders/{plan.orders[customer]}")),
        ("InventoryService/GetStock", ask("GET", f"/api/v1/inventory/{sku}")),
        ("ProductService/ListProducts", ask("GET", "/api/v1/products", params={"query": sku})),
        ("AuthService/GetCurrentUser", ask("GET", "/api/v1/auth/me")),
        ("PaymentService/ListPayments", ask("GET", "/api/v1/payments", params={"orderId": plan.orders[customer]})),
        ("NotificationService/ListNotifications", ask("GET", "/api/v1/notifications")),
    )


def _of_reply(reply: httpx.Response) -> Outcome:
    try:
        body = reply.json()
    except ValueError:
        return f"HTTP {reply.status_code}", reply.text[:200]
    if reply.is_success:
        return body["state"] if body.get("state", "CONFIRMED") != "CONFIRMED" else "OK", ""
    return code_pb2.Code.Name(body["code"]), f"{reply.status_code} {body['message']}"


def through_the_edge(channel: grpc.aio.Channel, plan: Plan, customer: int) -> Round:
    """What another team's program asks, with the stubs."""
    metadata = (("authorization", f"Bearer {plan.tokens[customer]}"),)

    def ask(method: Any, request: Callable[[], Any], timeout: float = 5.0) -> Make:  # noqa: ANN401 - a stub's method
        async def make() -> Outcome:
            try:
                answer = await method(request(), metadata=metadata, timeout=timeout)
            except grpc.aio.AioRpcError as failure:
                return failure.code().name, failure.details() or ""
            return _of_answer(answer)

        return make

    orders, stock = order_grpc.OrderServiceStub(channel), inventory_grpc.InventoryServiceStub(channel)
    mine, sku = plan.orders[customer], plan.skus[customer]
    return (
        ("OrderService/CreateOrder", ask(orders.CreateOrder, lambda: _new_order(sku), 20)),
        ("OrderService/GetOrder", ask(orders.GetOrder, lambda: order.GetOrderRequest(id=mine))),
        ("InventoryService/GetStock", ask(stock.GetStock, lambda: inventory.GetStockRequest(sku=sku))),
        (
            "ProductService/ListProducts",
            ask(product_grpc.ProductServiceStub(channel).ListProducts, product.ListProductsRequest),
        ),
        (
            "AuthService/GetCurrentUser",
            ask(auth_grpc.AuthServiceStub(channel).GetCurrentUser, auth.GetCurrentUserRequest),
        ),
        (
            "PaymentService/ListPayments",
            ask(
                payment_grpc.PaymentServiceStub(channel).ListPayments,
                lambda: payment.ListPaymentsRequest(order_id=mine),
            ),
        ),
        (
            "NotificationService/ListNotifications",
            ask(
                notification_grpc.NotificationServiceStub(channel).ListNotifications,
                notification.ListNotificationsRequest,
            ),
        ),
    )


def _new_order(sku: str) -> order.CreateOrderRequest:
    return order.CreateOrderRequest(
        lines=[order.CreateOrderLine(sku=sku, quantity=1)],
        shipping_address=PostalAddress(region_code="DE", postal_code="10115", address_lines=["Invalidenstr. 1"]),
        payment_token="tok_visa",
        request_id=str(uuid.uuid4()),
    )


def _of_answer(answer: object) -> Outcome:
    if isinstance(answer, order_pb2.Order) and answer.state != order_pb2.Order.CONFIRMED:
        return order_pb2.Order.State.Name(answer.state), ""
    return "OK", ""


def inside(clients: Clients, plan: Plan, customer: int) -> Round:
    """What the order service asks others; each caller holds stock for orders of its own and gives it back."""
    stock = clients.client(inventory_grpc.InventoryServiceStub, "ordermesh.inventory.v1.InventoryService")
    prices = clients.client(product_grpc.ProductServiceStub, "ordermesh.product.v1.ProductService")
    payments = clients.client(payment_grpc.PaymentServiceStub, "ordermesh.payment.v1.PaymentService")
    sku = plan.skus[customer]
    line = inventory.ReservationLine(sku=sku, quantity=1)
    held: list[str] = []

    def ask(method: Any, request: Callable[[], Any]) -> Make:  # noqa: ANN401 - a stub's method
        async def make() -> Outcome:
            try:
                await method(request())
            except errors.Error as failure:
                return failure.code, failure.message
            return "OK", ""

        return make

    def reserve() -> inventory.ReserveStockRequest:
        held[:] = [str(uuid.uuid4())]
        return inventory.ReserveStockRequest(order_id=held[0], lines=[line])

    return (
        ("InventoryService/GetStock", ask(stock.GetStock, lambda: inventory.GetStockRequest(sku=sku))),
        ("InventoryService/ReserveStock", ask(stock.ReserveStock, reserve)),
        (
            "InventoryService/ReleaseReservation",
            ask(stock.ReleaseReservation, lambda: inventory.ReleaseReservationRequest(order_id=held[0])),
        ),
        (
            "ProductService/BatchGetPrices",
            ask(prices.BatchGetPrices, lambda: product.BatchGetPricesRequest(skus=[sku], currency_code="EUR")),
        ),
        (
            "PaymentService/ListPayments",
            ask(payments.ListPayments, lambda: payment.ListPaymentsRequest(order_id=plan.orders[customer])),
        ),
    )


@asynccontextmanager
async def order_service(plan: Plan) -> AsyncIterator[Clients]:
    """Be an order service that serves nobody."""
    os.environ.update(plan.environment)
    async with joined(settings := MeshSettings()) as identity:
        os.environ["GRPC_XDS_BOOTSTRAP"] = str(write_bootstrap(settings, identity.files))
        clients = Clients(Contract.load())
        try:
            yield clients
        finally:
            await clients.close()


async def keep_calling(via: str, calls: Round, recorder: Recorder, done: asyncio.Event) -> None:
    """Make one call after the other; the last round is made to its end, so that nothing stays held."""
    while not done.is_set():
        for method, make in calls:
            await recorder.record(via, method, make)
            await asyncio.sleep(PAUSE_SECONDS)


async def main(plan: Plan, output: TextIO) -> None:
    """Have all callers call until the input ends."""
    done, recorder = asyncio.Event(), Recorder(output)
    asyncio.get_running_loop().add_reader(sys.stdin, done.set)
    trusted = grpc.ssl_channel_credentials(plan.authority.encode())
    customers = cycle(range(len(plan.tokens)))
    async with (
        httpx.AsyncClient(base_url=plan.rest, timeout=30) as http,
        grpc.aio.secure_channel(plan.grpc, trusted) as channel,
        order_service(plan) as clients,
        asyncio.TaskGroup() as callers,
    ):
        rounds: dict[str, Callable[[], Round]] = {
            REST: lambda: over_rest(http, plan, next(customers)),
            EDGE: lambda: through_the_edge(channel, plan, next(customers)),
            MESH: lambda: inside(clients, plan, next(customers)),
        }
        for via, count in plan.callers.items():
            for _ in range(count):
                callers.create_task(keep_calling(via, rounds[via](), recorder, done))


if __name__ == "__main__":
    with Path(sys.argv[2]).open("w", encoding="utf-8") as written:
        asyncio.run(main(Plan(**json.loads(Path(sys.argv[1]).read_text())), written))
