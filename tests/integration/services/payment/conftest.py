"""An empty payment database, a cashier over the sandbox gateway, and the books checked after each test."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio

from services.common.database import Database
from services.common.ids import new_id
from services.payment.cashier import Cashier
from services.payment.settings import PaymentSettings
from services.payment.store import PaymentStore, SandboxAccounts
from tests.integration.postgres import Postgres
from tests.integration.services.payment.books import audit
from tests.integration.services.payment.gateway import Gateway

PATIENCE = timedelta(seconds=0.5)


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
def cashier(store: PaymentStore, gateway: Gateway) -> Cashier:
    """Employ a cashier who waits for half a second."""
    return Cashier(store, gateway, lambda: datetime.now(UTC), new_id, PATIENCE)
