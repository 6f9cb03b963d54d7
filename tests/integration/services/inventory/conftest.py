"""An empty inventory database with two warehouses, its store, and the books checked after each test."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import pytest_asyncio

from services.common import database as database_module
from services.common.database import Database
from services.inventory.settings import InventorySettings
from services.inventory.store import InventoryStore
from tests.integration.postgres import Postgres
from tests.integration.services.inventory.books import audit

PATIENCE = 60.0


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a rush wait for its turn, however busy the machine is: what is tested is who gets what."""
    monkeypatch.setattr(database_module, "POOL_PATIENCE_SECONDS", PATIENCE)


@pytest_asyncio.fixture
async def store(postgres: Postgres) -> AsyncIterator[InventoryStore]:
    """Open the store; `near` is used before `far`."""
    postgres.migrate("inventory")
    postgres.empty("inventory")
    limits = {"database_lock_seconds": PATIENCE, "database_statement_seconds": PATIENCE}
    async with Database.open(postgres.settings(InventorySettings, "inventory", **limits)) as database:
        opened = InventoryStore(database, timedelta(days=1))
        await opened.add_warehouse("near", "Near", 0)
        await opened.add_warehouse("far", "Far", 1)
        yield opened
    audit(postgres)
