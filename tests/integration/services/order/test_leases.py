"""Orders whose driver died are taken on by one worker, and by no more than one."""

import asyncio
from datetime import timedelta

import pytest

from services.common.database import Database
from services.common.ids import new_id
from services.order.domain import placing as orders
from services.order.domain.order import Order
from services.order.domain.parts import Rejection
from services.order.settings import OrderSettings
from services.order.store import OrderStore
from tests.integration.postgres import Postgres
from tests.integration.services.order.conftest import LEASE
from tests.integration.services.order.examples import NOW, placed, request

WORKERS = 4


async def abandoned(store: OrderStore, count: int) -> list[Order]:
    """Place orders that nobody drives on."""
    found = [placed() for _ in range(count)]
    for order in found:
        await store.add(order, request())
        await store.give_up_lease(order.id)
    return found


def ids(*claims: list[Order]) -> list[str]:
    """List the ids of all that was claimed."""
    return [order.id for claimed in claims for order in claimed]


async def test_an_order_that_is_driven_is_left_alone(store: OrderStore) -> None:
    """Its lease has not run out."""
    await store.add(placed(), request())
    assert await store.claim_unsettled(10, LEASE) == []


async def test_a_worker_claims_no_more_than_it_asked_for(store: OrderStore, postgres: Postgres) -> None:
    """Whatever plan the database chooses: before it knows how many orders there are, and after."""
    await abandoned(store, 60)
    assert len(await store.claim_unsettled(5, LEASE)) == 5
    with postgres.superuser("order") as connection:
        connection.execute("ANALYZE orders")
    assert len(await store.claim_unsettled(1, LEASE)) == 1
    assert len(await store.claim_unsettled(100, LEASE)) == 54


@pytest.mark.parametrize("preference", ["", "hashjoin", "hashjoin mergejoin", "hashjoin mergejoin hashagg sort"])
async def test_a_worker_claims_no_more_whatever_the_planner_prefers(
    store: OrderStore, postgres: Postgres, preference: str
) -> None:
    """A subquery that is run again for each row would lock other rows each time."""
    await abandoned(store, 20)
    with postgres.superuser("order") as connection:
        for way in (*preference.split(), "material", "memoize"):
            connection.execute(f"ALTER ROLE order_app SET enable_{way} = off".encode())
    try:
        async with Database.open(postgres.settings(OrderSettings, "order")) as database:
            assert len(await OrderStore(database, LEASE).claim_unsettled(3, LEASE)) == 3
    finally:
        with postgres.superuser("order") as connection:
            connection.execute("ALTER ROLE order_app RESET ALL")


async def test_workers_at_once_never_get_the_same_order(store: OrderStore, postgres: Postgres) -> None:
    """Of several instances too."""
    waiting = await abandoned(store, 40)
    async with Database.open(postgres.settings(OrderSettings, "order")) as database:
        stores = (store, OrderStore(database, LEASE))
        claims = await asyncio.gather(*(stores[at % 2].claim_unsettled(15, LEASE) for at in range(WORKERS)))
    claims.append(await store.claim_unsettled(100, LEASE))
    assert sorted(ids(*claims)) == sorted(order.id for order in waiting)


async def test_a_claimed_order_is_given_to_the_next_when_its_lease_runs_out(store: OrderStore) -> None:
    """The worker died as well."""
    (order,) = await abandoned(store, 1)
    assert ids(await store.claim_unsettled(10, timedelta(seconds=1))) == [order.id]
    assert await store.claim_unsettled(10, LEASE) == []
    await asyncio.sleep(1.1)
    assert ids(await store.claim_unsettled(10, LEASE)) == [order.id]


async def test_the_longest_abandoned_is_first(store: OrderStore) -> None:
    """Nobody waits for ever."""
    waiting = await abandoned(store, 6)
    assert sorted(ids(await store.claim_unsettled(3, LEASE))) == sorted(order.id for order in waiting[:3])


async def test_a_settled_order_is_never_claimed(store: OrderStore) -> None:
    """Not by its state and not by somebody who gives its lease up late."""
    (order,) = await abandoned(store, 1)
    await store.save(orders.reject(order, Rejection("OUT_OF_STOCK", "no"), NOW))
    await store.give_up_lease(order.id)
    assert await store.claim_unsettled(10, LEASE) == []


async def test_every_step_renews_the_lease(store: OrderStore) -> None:
    """Whoever moved the order is alive."""
    (order,) = await abandoned(store, 1)
    await store.save(orders.reserve_stock(order, new_id(), NOW))
    assert await store.claim_unsettled(10, LEASE) == []
