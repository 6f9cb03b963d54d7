"""An empty payment database, the use cases over the sandbox gateway, and the books checked after each test."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio

from services.common.database import Database
from services.common.ids import new_id
from services.payment.breaker import Breaker, Guarded
from services.payment.cashier import Cashier
from services.payment.leftovers import Leftovers
from services.payment.movements import Movements
from services.payment.notified import Bookkeeper
from services.payment.routing import Gateways
from services.payment.settings import PaymentSettings
from services.payment.store import PaymentStore, SandboxAccounts
from tests.integration.postgres import Postgres
from tests.integration.services.payment.books import audit
from tests.integration.services.payment.gateway import Gateway

PATIENCE = timedelta(seconds=2)


def now() -> datetime:
    """Tell the time."""
    return datetime.now(UTC)


@dataclass
class Desk:
    """The use cases of one process."""

    cashier: Cashier
    movements: Movements
    leftovers: Leftovers
    bookkeeper: Bookkeeper
    store: PaymentStore


def guarded(gateway: Gateway, failures: int = 1_000) -> Guarded:
    """Put a gateway behind a breaker that hardly ever opens."""
    return Guarded(gateway, Breaker(failures, timedelta(seconds=60)), PATIENCE)


def desk_of(store: PaymentStore, gateways: Gateways) -> Desk:
    """Wire the use cases as the service does."""
    movements = Movements(store, gateways, now)
    cashier = Cashier(store, gateways, movements, now, new_id, PATIENCE)
    bookkeeper = Bookkeeper(store, cashier, gateways, now, new_id)
    return Desk(cashier, movements, Leftovers(store, cashier, movements, now), bookkeeper, store)


@pytest_asyncio.fixture
async def database(postgres: Postgres) -> AsyncIterator[Database]:
    """Open the database."""
    postgres.migrate("payment")
    postgres.empty("payment")
    async with Database.open(postgres.settings(PaymentSettings, "payment")) as opened:
        yield opened
    audit(postgres)


@pytest.fixture
def store(database: Database) -> PaymentStore:
    """Open the store."""
    return PaymentStore(database)


@pytest_asyncio.fixture
async def gateway(database: Database) -> Gateway:
    """Open the gateway."""
    return Gateway(SandboxAccounts(database))


@pytest.fixture
def desk(store: PaymentStore, gateway: Gateway) -> Desk:
    """Employ somebody who waits for two seconds."""
    return desk_of(store, Gateways({gateway.name: guarded(gateway)}, {"*": [gateway.name]}))


@pytest.fixture
def cashier(desk: Desk) -> Cashier:
    """Employ a cashier."""
    return desk.cashier
