"""An empty inventory database with two warehouses, its store, and the books checked after each test."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest_asyncio

from services.common.database import Database
from services.inventory.settings import InventorySettings
from services.inventory.store import InventoryStore
from tests.integration.postgres import Postgres
from tests.integration.services.inventory.books import audit


@pytest_asyncio.fixture
async def store(postgres: Postgres) -> AsyncIterator[InventoryStore]:
    """Open the store; `near` is used before `far`."""
    postgres.migrate("inventory")
    postgres.empty("inventory")
    async with Database.open(postgres.settings(InventorySettings, "inventory")) as database:
        opened = InventoryStore(database, timedelta(days=1))
        await opened.add_warehouse("near", "Near", 0)
        await opened.add_warehouse("far", "Far", 1)
        yield opened
    audit(postgres)
