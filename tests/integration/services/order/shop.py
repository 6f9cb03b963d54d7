"""Order, inventory and payment in one process, each on its own database and behind its own gate, talking by gRPC.

Only the catalogue is made up. The wire between the services can lose requests and replies, and so can the one to the
order database, called disk.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc

from mesh import headers
from mesh.client import Clients
from mesh.contract import Contract
from mesh.gate import Gate
from mesh.server import SERVER_OPTIONS
from ordermesh.inventory.v1 import inventory_service_pb2_grpc as inventory_grpc
from ordermesh.order.v1 import order_service_pb2_grpc as order_grpc
from ordermesh.payment.v1 import payment_service_pb2_grpc as payment_grpc
from services.common.database import Database
from services.common.ids import new_id
from services.common.money import Money
from services.common.settings import ServiceSettings
from services.inventory.domain.sourcing import Strategy
from services.inventory.service import InventoryService as InventoryServicer
from services.inventory.store import InventoryStore
from services.order.adapters.inventory import InventoryService
from services.order.adapters.payment import PaymentService
from services.order.changes import Changes
from services.order.domain.errors import UnknownSku
from services.order.domain.order import Line
from services.order.domain.pricing import FlatRateShipping, RegionalTax
from services.order.drives import Drives
from services.order.placement import Placement
from services.order.rebuild import Rebuilding
from services.order.recovery import Recovery
from services.order.saga import Saga
from services.order.service import OrderService as OrderServicer
from services.order.service import Rooms
from services.order.store import NoteStore, OrderStore
from services.order.watching import Watching
from services.payment.adapters.sandbox import Sandbox
from services.payment.cashier import Cashier
from services.payment.service import PaymentService as PaymentServicer
from services.payment.store import PaymentStore, SandboxAccounts
from tests.integration.mesh.warehouse import HOST, claims_of
from tests.integration.postgres import Postgres
from tests.integration.services.order.wire import Far, Life, Wire
from tests.peers import PEER, SaidPeers, dial_as

CUSTOMER = "01890000-0000-7000-8000-00000000c001"
STRANGER = "01890000-0000-7000-8000-00000000c002"
SERVICES = ("order", "inventory", "payment")
PRICE = Money("EUR", 999)
LEASE = timedelta(seconds=20)


class Catalogue:
    """Sells every SKU at one price, but for those that begin with `unsold`."""

    async def lines(self, wanted: Sequence[tuple[str, int]], currency_code: str) -> tuple[Line, ...]:
        """Price the lines."""
        if unknown := [at for at, (sku, _) in enumerate(wanted) if sku.startswith("unsold")]:
            raise UnknownSku(unknown, currency_code)
        return tuple(Line(sku, quantity, new_id(), sku, PRICE) for sku, quantity in wanted)


@dataclass(frozen=True)
class Shop:
    """What a test needs of it."""

    wire: Wire
    disk: Wire
    stock: InventoryStore
    payments: PaymentStore
    cashier: Cashier
    orders: OrderStore
    saga: Saga
    recovery: Recovery
    watching: Watching
    channel: grpc.aio.Channel

    def die_after(self, crossings: int | None) -> None:
        """Have the order service die after so many requests and replies, to others and to its database."""
        self.wire.life.crossings, self.wire.life.died = crossings, False

    @property
    def died(self) -> bool:
        """Whether it did."""
        return self.wire.life.died

    def as_user(self, user_id: str = CUSTOMER, *permissions: str) -> "User":
        """Call as an end user who came through the edge."""
        rights = permissions or ("orders.create", "orders.read", "orders.cancel", "orders.return")
        return User(self.channel, ((PEER, headers.EDGE), (headers.CLAIMS, claims_of(user_id, *rights))))

    def as_service(self, name: str) -> "User":
        """Call as another service that acts for itself."""
        return User(self.channel, ((PEER, name),))


class User:
    """Somebody who calls the order service."""

    def __init__(self, channel: grpc.aio.Channel, metadata: tuple[tuple[str, str], ...]) -> None:
        """`metadata` says who it is."""
        self._stub: Any = order_grpc.OrderServiceStub(channel)
        self._metadata = metadata

    async def __call__(self, method: str, request: object, **more: str) -> Any:  # noqa: ANN401 - the method's reply
        """Call a method; raises grpc's own error."""
        return await getattr(self._stub, method)(request, metadata=(*self._metadata, *more.items()))

    def stream(self, method: str, request: object) -> AsyncIterator[Any]:
        """Call a method that gives one answer after the other."""
        answers: AsyncIterator[Any] = aiter(getattr(self._stub, method)(request, metadata=self._metadata))
        return answers


@asynccontextmanager
async def open_shop(
    postgres: Postgres, *, give_up: float = 600.0, sourcing: Strategy = Strategy.PRIORITY
) -> AsyncIterator[Shop]:
    """Open the three services on empty databases."""
    async with AsyncExitStack() as stack:
        contract = Contract.load()
        databases = {name: await stack.enter_async_context(_database(postgres, name)) for name in SERVICES}
        stock = InventoryStore(databases["inventory"], timedelta(days=1), sourcing)
        payments = PaymentStore(databases["payment"])
        cashier = Cashier(payments, Sandbox(SandboxAccounts(databases["payment"])), _now, new_id, timedelta(seconds=1))
        orders = OrderStore(databases["order"], LEASE)
        addresses = {
            "inventory": await stack.enter_async_context(
                _listening(contract, inventory_grpc.add_InventoryServiceServicer_to_server, InventoryServicer(stock))
            ),
            "payment": await stack.enter_async_context(
                _listening(
                    contract, payment_grpc.add_PaymentServiceServicer_to_server, PaymentServicer(cashier, payments)
                )
            ),
        }
        clients = Clients(contract, dial=dial_as("order", addresses))
        stack.push_async_callback(clients.close)
        life = Life()
        wire, disk = Wire(life=life), Wire(life=life)
        saga = _saga(Far(orders, disk), clients, wire, timedelta(seconds=give_up))
        watching = Watching(orders, timedelta(seconds=0.05))
        servicer = _order_servicer(saga, Far(orders, disk), NoteStore(databases["order"]), watching)
        address = await stack.enter_async_context(
            _listening(contract, order_grpc.add_OrderServiceServicer_to_server, servicer)
        )
        channel = await stack.enter_async_context(grpc.aio.insecure_channel(address))
        recovery = Recovery(saga, orders, interval=timedelta(seconds=0.1), lease=LEASE)
        yield Shop(wire, disk, stock, payments, cashier, orders, saga, recovery, watching, channel)


def _saga(orders: Any, clients: Clients, wire: Wire, give_up: timedelta) -> Saga:  # noqa: ANN401 - far away
    inventory: Any = Far(InventoryService(_client(clients, inventory_grpc.InventoryServiceStub, "inventory")), wire)
    payment: Any = Far(PaymentService(_client(clients, payment_grpc.PaymentServiceStub, "payment")), wire)
    return Saga(orders, inventory, payment, _now, give_up)


def _order_servicer(saga: Saga, orders: Any, notes: NoteStore, watching: Watching) -> OrderServicer:  # noqa: ANN401
    drives = Drives(saga, orders)
    rooms = Rooms(
        placement=Placement(orders, Catalogue(), FlatRateShipping({}), RegionalTax({}), drives, _now, new_id),
        changes=Changes(orders, drives, _now, new_id),
        store=orders,
        notes=notes,
        rebuilding=Rebuilding(orders),
        watching=watching,
        clock=_now,
        new_id=new_id,
        default_currency="EUR",
    )
    return OrderServicer(rooms)


def _now() -> datetime:
    return datetime.now(UTC)


def _client(clients: Clients, stub: Any, domain: str) -> Any:  # noqa: ANN401 - any stub
    return clients.client(stub, f"ordermesh.{domain}.v1.{domain.capitalize()}Service", as_service=True)


@asynccontextmanager
async def _database(postgres: Postgres, service: str) -> AsyncIterator[Database]:
    postgres.migrate(service)
    postgres.empty(service)
    async with Database.open(postgres.settings(ServiceSettings, service)) as database:
        yield database


@asynccontextmanager
async def _listening(contract: Contract, add: Any, servicer: object) -> AsyncIterator[str]:  # noqa: ANN401 - generated
    server = grpc.aio.server(interceptors=(Gate(contract, SaidPeers(), 512),), options=SERVER_OPTIONS)
    add(servicer, server)
    port = server.add_insecure_port(f"{HOST}:0")
    await server.start()
    try:
        yield f"{HOST}:{port}"
    finally:
        await server.stop(None)
