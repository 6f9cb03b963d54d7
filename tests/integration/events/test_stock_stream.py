"""From the table of stock levels to the compacted topic `inventory-stock`: what is promised to whoever builds on it."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest_asyncio

from deploy.native import secrets
from deploy.native.provision.postgres import connect, url
from deploy.native.runtime import Runtime
from services.common.database import Database
from services.common.ids import new_id
from services.inventory.domain.stock import Policy
from services.inventory.store import InventoryStore, Remark
from tests.integration.events.broker import Broker
from tests.integration.events.ledger import settings_for

TOPIC = "inventory-stock"
ROWS = "SELECT to_jsonb(l) FROM stock_levels l WHERE sku = ANY(%s) ORDER BY sku, warehouse_id"


@pytest_asyncio.fixture
async def store(stack: Runtime) -> AsyncIterator[InventoryStore]:
    """Open the inventory service's store as the service does."""
    kept = secrets.ensure(stack.root, stack.topology.services).database_passwords
    role = secrets.app_role("inventory")
    async with Database.open(settings_for(url(stack, "inventory", role, kept[role]), {})) as database:
        yield InventoryStore(database, timedelta(days=1))


def rows(stack: Runtime, skus: list[str]) -> list[dict[str, Any]]:
    """Read the table."""
    with connect(stack, stack.topology.services["inventory"].database) as session:
        return [row for (row,) in session.execute(ROWS, [skus]).fetchall()]


async def test_the_latest_value_of_each_key_is_its_row(stack: Runtime, store: InventoryStore, broker: Broker) -> None:
    """With where in the WAL and when it was committed; whatever changed it, and also in one commit with others."""
    one, other = f"STREAM-{new_id()}", f"STREAM-{new_id()}"
    begin = broker.ends(TOPIC)
    await store.receive(one, 9, "main")
    await store.receive(other, 5, "main")
    order_id = new_id()
    await store.reserve(order_id, {one: 2, other: 5})
    await store.set_policy(one, "main", Policy(1, 2, 3))
    await store.count(one, 1, "main", Remark())
    await store.release(order_id)
    expected = rows(stack, [one, other])
    keys = {json.dumps({key: row[key] for key in ("sku", "warehouse_id")}, separators=(",", ":")) for row in expected}
    # A new level is made empty, then filled.
    found = broker.follow(begin, {key.encode() for key in keys}, 6 + 4)
    latest = {record.key: json.loads(record.value) for record in found}
    told = sorted(latest.values(), key=lambda value: value["sku"])
    assert all(value.pop("lsn") > 0 and value.pop("commit_time_ms") > 0 for value in told)
    assert told == expected


async def test_places_in_the_log_never_go_back(store: InventoryStore, broker: Broker) -> None:
    """By them a reader tells what it has seen already, when the connector repeats itself after a crash."""
    sku = f"STREAM-{new_id()}"
    begin = broker.ends(TOPIC)
    await store.receive(sku, 9, "main")
    order_ids = [new_id() for _ in range(5)]
    for order_id in order_ids:
        await store.reserve(order_id, {sku: 1})
    warehouse_id = (await store.levels([sku]))[0].warehouse_id
    key = json.dumps({"sku": sku, "warehouse_id": warehouse_id}, separators=(",", ":")).encode()
    found = [json.loads(record.value) for record in broker.follow(begin, {key}, 7)]
    assert [value["reserved"] for value in found] == [0, 0, 1, 2, 3, 4, 5]
    assert sorted(value["lsn"] for value in found) == [value["lsn"] for value in found]
    for order_id in order_ids:  # Nobody placed these orders, and the audit of this stack would say so.
        await store.release(order_id)
