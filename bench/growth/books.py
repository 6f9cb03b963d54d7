"""One set of books: what the services do to their databases for an order that is read, listed or placed."""

import contextlib
import itertools
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from bench.growth.filling import SKUS
from bench.load import OK
from mesh import context
from services.common.database import Database
from services.common.ids import new_id
from services.common.money import Money
from services.inventory.store import InventoryStore
from services.order.domain import placing
from services.order.domain.order import Line
from services.order.placement import Request
from services.order.store import OrderStore
from services.payment.domain import transitions
from services.payment.domain.payment import Change, Entry, Kind
from services.payment.settings import PaymentSettings
from services.payment.store import PaymentStore
from tests.integration.postgres import Postgres

PAGE = 50
SAMPLE = 2000
STOCK = 1_000_000
WAREHOUSE = "MAIN"
ADDRESS: Mapping[str, object] = {"region_code": "DE", "postal_code": "10115", "locality": "Berlin"}
PRICE = Money("EUR", 1999)
SERVICES = ("order", "inventory", "payment")

Ask = Callable[[int], Awaitable[str]]


@dataclass(frozen=True, slots=True)
class Known:
    """Orders that were placed long ago, chosen at random, and whose they are."""

    order_id: str
    customer_id: str


class Books:
    """The databases of order, inventory and payment, as their stores use them."""

    def __init__(self, databases: Mapping[str, Database], known: list[Known]) -> None:
        """`known` are the orders to read."""
        self._orders = OrderStore(databases["order"], timedelta(seconds=20))
        self._inventory = InventoryStore(databases["inventory"], timedelta(minutes=30))
        self._payments = PaymentStore(databases["payment"])
        self._known = known
        self._turns = itertools.count()

    @property
    def asks(self) -> Mapping[str, Ask]:
        """What is measured, by name."""
        return {
            "get": self._get,
            "list a customer's": self._list_of_customer,
            "list all": self._list_all,
            "list by state": self._list_by_state,
            "list by state and time": self._list_by_time,
            "place": self._place,
        }

    async def stock(self) -> None:
        """Have something of each SKU to sell."""
        await self._inventory.add_warehouse(WAREHOUSE, WAREHOUSE, 1)
        for number in range(SKUS):
            await self._inventory.receive(f"GROWTH-{number}", STOCK, WAREHOUSE)

    async def _get(self, _: int) -> str:
        await self._orders.get(self._one().order_id)
        return OK

    async def _list_of_customer(self, _: int) -> str:
        return await self._page(owner=self._one().customer_id)

    async def _list_all(self, _: int) -> str:
        return await self._page(after=self._one().order_id)

    async def _list_by_state(self, _: int) -> str:
        return await self._page(state="CONFIRMED", after=self._one().order_id)

    async def _list_by_time(self, _: int) -> str:
        now = datetime.now(UTC)
        found = await self._orders.page(
            {"owner": None, "customer_id": None, "state": "CONFIRMED"},
            after=None,
            limit=PAGE + 1,
            period=(now - timedelta(days=2), now - timedelta(days=1)),
        )
        return OK if found else "no orders"

    async def _page(self, *, owner: str | None = None, state: str | None = None, after: str | None = None) -> str:
        filters = {"owner": owner, "customer_id": None, "state": state}
        await self._orders.page(filters, after=after, limit=PAGE + 1)
        return OK

    async def _place(self, _: int) -> str:
        """Do to the databases what the saga has done to them, one commit after the other."""
        now = datetime.now(UTC)
        customer, sku = self._one().customer_id, f"GROWTH-{next(self._turns) % SKUS}"
        line = Line(sku, 1, new_id(), "Something", PRICE)
        order = placing.place(new_id(), customer, (line,), ADDRESS, now)
        request = Request(customer, [(sku, 1)], ADDRESS, "tok_visa", "EUR", order.id, b"fingerprint")
        with context.background(actor=f"user:{customer}"):
            await self._orders.add(order, request)
            reservation = await self._inventory.reserve(order.id, {sku: 1})
            order = placing.reserve_stock(order, reservation.id, now)
            await self._orders.save(order)
            payment = transitions.begin(new_id(), order.id, customer, order.total, "sandbox", now)
            await self._payments.add(payment)
            authorized = transitions.authorized(payment, f"growth_{payment.id}", None, now)
            await self._payments.save(Change(authorized, (Entry(Kind.AUTHORIZATION, payment.amount),)))
            await self._orders.save(placing.confirm(order, payment.id, now))
        return OK

    def _one(self) -> Known:
        return random.choice(self._known)


@contextlib.asynccontextmanager
async def opened(postgres: Postgres) -> AsyncIterator[Books]:
    """Open the databases as the services do."""
    async with contextlib.AsyncExitStack() as stack:
        databases = {
            service: await stack.enter_async_context(Database.open(postgres.settings(PaymentSettings, service)))
            for service in SERVICES
        }
        found = await databases["order"].rows(
            "SELECT id::text, customer_id::text FROM orders ORDER BY random() LIMIT %(sample)s", {"sample": SAMPLE}
        )
        yield Books(databases, [Known(*row) for row in found])
