"""The last units under a rush: exactly as many are sold as there are, and nobody is turned away by a deadlock."""

import asyncio
import random
from collections.abc import Iterator
from datetime import timedelta

import pytest

from services.common.database import Database
from services.common.ids import new_id
from services.inventory.domain.errors import OutOfStock
from services.inventory.domain.reservation import Reservation
from services.inventory.domain.stock import Policy
from services.inventory.settings import InventorySettings
from services.inventory.store import InventoryStore
from tests.integration.postgres import Postgres

RUSH = 64

Outcome = Reservation | BaseException


def sold(outcomes: list[Outcome]) -> int:
    """Count the reservations; whoever got none was told that stock is short, and nothing else."""
    unforeseen = [each for each in outcomes if not isinstance(each, (Reservation, OutOfStock))]
    assert unforeseen == []
    return sum(isinstance(each, Reservation) for each in outcomes)


async def test_the_last_units_of_one_sku_are_sold_once(store: InventoryStore) -> None:
    """Sixty-four ask for one of seventeen units, which are in two places."""
    await store.receive("A", 9, "near", None)
    await store.receive("A", 8, "far", None)
    asked = (store.reserve(new_id(), {"A": 1}) for _ in range(RUSH))
    assert sold(await asyncio.gather(*asked, return_exceptions=True)) == 17
    assert [level.available for level in await store.levels(["A"])] == [0, 0]


async def test_two_hundred_buyers_of_fifty_units_are_answered_at_once(store: InventoryStore) -> None:
    """Fifty are sold; the others are told that stock is short, and nobody is asked to come again."""
    await store.receive("A", 50, "near")
    asked = (store.reserve(new_id(), {"A": 1}) for _ in range(200))
    assert sold(await asyncio.gather(*asked, return_exceptions=True)) == 50


async def test_a_rush_with_safety_stock_threshold_and_promises_oversells_nothing(store: InventoryStore) -> None:
    """Where not one statement decides but several, the outcome is as exact."""
    await store.receive("A", 9, "near")
    await store.receive("A", 9, "far")
    await store.set_policy("A", "near", Policy(safety_stock=2, low_stock_threshold=4))
    await store.set_policy("A", "far", Policy(backorder_limit=6, low_stock_threshold=0))
    asked = (store.reserve(new_id(), {"A": 1}) for _ in range(RUSH))
    assert sold(await asyncio.gather(*asked, return_exceptions=True)) == 7 + 9 + 6
    assert [(level.available, level.backordered) for level in await store.levels(["A"])] == [(0, 0), (0, 6)]


async def test_orders_of_several_skus_in_any_order_never_deadlock(store: InventoryStore) -> None:
    """Each wants all three; the scarcest decides, and the others are not held for those who got nothing."""
    units = {"A": 40, "B": 11, "C": 25}
    for sku, quantity in units.items():
        await store.receive(sku, quantity - 1, "far", None)
        await store.receive(sku, 1, "near", None)

    def wanted() -> dict[str, int]:
        skus = random.sample(sorted(units), k=len(units))
        return dict.fromkeys(skus, 1)

    asked = (store.reserve(new_id(), wanted()) for _ in range(RUSH))
    assert sold(await asyncio.gather(*asked, return_exceptions=True)) == min(units.values())
    left = {sku: sum(level.available for level in await store.levels([sku])) for sku in units}
    assert left == {"A": 29, "B": 0, "C": 14}


@pytest.fixture
def without_indexes(postgres: Postgres) -> Iterator[None]:
    """Have the planner read tables as they lie, for sessions that begin from now on."""
    with postgres.superuser() as connection:
        for way in ("indexscan", "indexonlyscan", "bitmapscan"):
            connection.execute(f"ALTER ROLE inventory_app SET enable_{way} = off".encode())
    yield
    with postgres.superuser() as connection:
        connection.execute("ALTER ROLE inventory_app RESET ALL")


@pytest.mark.usefixtures("without_indexes")
@pytest.mark.parametrize("arrival", ["ABC", "CBA"])
async def test_locks_are_taken_in_the_order_of_the_skus(
    store: InventoryStore, postgres: Postgres, arrival: str
) -> None:
    """However they are asked for, and however they lie in the table: that is what makes a deadlock impossible."""
    for sku in arrival:
        await store.receive(sku, 1, "near", None)
    free = b"SELECT sku FROM stock_levels ORDER BY sku FOR UPDATE SKIP LOCKED"
    with postgres.superuser("inventory") as holder, postgres.superuser("inventory") as watcher:
        holder.execute("BEGIN")
        holder.execute("SELECT FROM stock_levels WHERE sku = 'B' FOR UPDATE")
        waiting = asyncio.create_task(store.reserve(new_id(), {"C": 1, "B": 1, "A": 1}))
        async with asyncio.timeout(4):
            while watcher.execute(free).fetchall() != [("C",)]:  # noqa: ASYNC110 - it happens in the database
                await asyncio.sleep(0.01)
        holder.execute("ROLLBACK")
        assert len((await waiting).allocations) == 3


async def test_a_rush_of_everything_at_once_balances(store: InventoryStore) -> None:
    """Deliveries, reservations, releases and commits of overlapping SKUs; the books are checked afterwards."""
    skus = ["A", "B", "C"]
    for sku in skus:
        await store.receive(sku, 30, "near", None)
    orders = [new_id() for _ in range(40)]
    for order_id in orders[:20]:
        await store.reserve(order_id, {"A": 1, "B": 1})
    work = [store.reserve(order_id, dict.fromkeys(random.sample(skus, k=2), 2)) for order_id in orders[20:]]
    work += [store.release(order_id) for order_id in orders[:10]]
    work += [store.commit(order_id) for order_id in orders[10:20]]
    deliveries = [store.receive(sku, 1, place, None) for sku in skus * 4 for place in ("near", "far")]
    random.shuffle(work)
    outcomes = await asyncio.gather(*work, *deliveries, return_exceptions=True)
    assert [each for each in outcomes if isinstance(each, BaseException) and not isinstance(each, OutOfStock)] == []


@pytest.mark.usefixtures("store")
async def test_two_instances_of_the_service_share_the_last_units(postgres: Postgres) -> None:
    """Locks are the database's: no instance knows of the others."""
    settings = postgres.settings(InventorySettings, "inventory", database_pool_size=8)
    async with Database.open(settings) as first, Database.open(settings) as second:
        stores = [InventoryStore(database, timedelta(days=1)) for database in (first, second)]
        await stores[0].receive("A", 10, "near", None)
        asked = (stores[at % 2].reserve(new_id(), {"A": 3}) for at in range(RUSH))
        assert sold(await asyncio.gather(*asked, return_exceptions=True)) == 3
