"""An empty order database, its store, and the history of every order checked after each test."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest_asyncio

from services.common.database import Database
from services.order.settings import OrderSettings
from services.order.store import OrderStore
from tests.integration.postgres import Postgres

LEASE = timedelta(seconds=20)
# Every change of an order has one event: as many as its version says, numbered without a gap.
UNTOLD = b"""
SELECT orders.id, version, array_agg(sequence ORDER BY sequence)
FROM orders LEFT JOIN events ON aggregate_id = orders.id::text
GROUP BY orders.id, version
HAVING array_agg(sequence ORDER BY sequence) <> ARRAY(SELECT generate_series(1::bigint, version))
"""
ORPHANS = b"SELECT aggregate_id FROM events WHERE NOT EXISTS (SELECT FROM orders WHERE id::text = aggregate_id)"


@pytest_asyncio.fixture
async def store(postgres: Postgres) -> AsyncIterator[OrderStore]:
    """Open the store."""
    postgres.migrate("order")
    postgres.empty("order")
    async with Database.open(postgres.settings(OrderSettings, "order")) as database:
        yield OrderStore(database, LEASE)
    with postgres.superuser("order") as connection:
        assert connection.execute(UNTOLD).fetchall() == []
        assert connection.execute(ORPHANS).fetchall() == []
