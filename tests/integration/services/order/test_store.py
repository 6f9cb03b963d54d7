"""Orders as they are kept: whole, once for each key, one version after the other, and with their history."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from psycopg import IntegrityError

from mesh import context
from ordermesh.order.v1 import order_events_pb2
from services.common.ids import new_id
from services.common.money import Money
from services.order.domain import placing as orders
from services.order.domain.errors import OrderChanged, OrderNotFound
from services.order.domain.order import Order, State
from services.order.domain.parts import Rejection
from services.order.events import order_to_proto
from services.order.store import OrderStore
from tests.integration.postgres import Postgres
from tests.integration.services.order.examples import CUSTOMER, NOW, STRANGER, placed, request

LATER = NOW + timedelta(seconds=1)


async def added(store: OrderStore, customer_id: str = CUSTOMER) -> Order:
    """Place an order."""
    order = placed(customer_id)
    assert await store.add(order, request(customer_id=customer_id))
    return order


async def reserved(store: OrderStore) -> Order:
    """Place an order and hold its stock."""
    order = orders.reserve_stock(await added(store), new_id(), LATER)
    await store.save(order)
    return order


async def test_an_order_is_read_as_it_was_placed(store: OrderStore) -> None:
    """Lines in their order, moments to the microsecond, any text."""
    order = await added(store)
    assert await store.get(order.id) == order


async def test_every_part_of_an_order_is_saved(store: OrderStore) -> None:
    """Whatever a transition changes comes back."""
    order = orders.confirm(await reserved(store), new_id(), LATER)
    await store.save(order)
    assert await store.get(order.id) == order
    order = orders.request_cancellation(order, "changed my mind", LATER)
    await store.save(order)
    order = orders.cancel(order, LATER)
    await store.save(order)
    assert await store.get(order.id) == order
    rejected = orders.reject(await added(store), Rejection("OUT_OF_STOCK", "not enough"), LATER)
    await store.save(rejected)
    assert await store.get(rejected.id) == rejected


async def test_an_order_that_is_not_there_is_not_found(store: OrderStore) -> None:
    """The id is in the error."""
    order_id = new_id()
    with pytest.raises(OrderNotFound, match=order_id):
        await store.get(order_id)


async def test_the_same_key_at_once_makes_one_order(store: OrderStore) -> None:
    """Sixteen requests of one click: one order, and all find it."""
    tried = [placed() for _ in range(16)]
    outcomes = await asyncio.gather(*(store.add(order, request("key-1")) for order in tried))
    assert outcomes.count(True) == 1
    winner = tried[outcomes.index(True)]
    earlier = await store.earlier(CUSTOMER, "key-1")
    assert earlier is not None
    assert (earlier.order, earlier.fingerprint) == (winner, request().fingerprint)
    assert await store.page({"owner": None, "customer_id": None, "state": None}, None, 50) == [winner]


async def test_a_key_is_the_customers_own(store: OrderStore) -> None:
    """Two customers may choose the same."""
    assert await store.add(placed(), request("key-1"))
    assert await store.add(placed(STRANGER), request("key-1", STRANGER))
    assert await store.earlier(CUSTOMER, "key-2") is None


async def test_orders_without_a_key_are_all_new(store: OrderStore) -> None:
    """Nobody said that they are the same."""
    assert await store.add(placed(), request(None))
    assert await store.add(placed(), request(None))


async def test_a_key_of_an_order_that_could_not_be_kept_is_free_again(store: OrderStore) -> None:
    """Key, order, lines and event are one commit."""
    broken = replace(placed(), total=Money("EUR", 0))
    with pytest.raises(IntegrityError):
        await store.add(broken, request("key-1"))
    assert await store.earlier(CUSTOMER, "key-1") is None
    assert await store.add(placed(), request("key-1"))


async def test_of_two_who_move_the_same_version_one_is_told(store: OrderStore) -> None:
    """The other's change is neither lost nor overwritten, and its event is not written."""
    order = await added(store)
    moved = [orders.reserve_stock(order, new_id(), LATER) for _ in range(8)]
    outcomes = await asyncio.gather(*(store.save(each) for each in moved), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes if outcome] == [OrderChanged] * 7
    assert await store.get(order.id) == moved[outcomes.index(None)]


async def test_a_version_can_not_be_skipped(store: OrderStore) -> None:
    """Each change is one event."""
    order = await added(store)
    with pytest.raises(OrderChanged):
        await store.save(replace(order, version=3, reservation_id=new_id()))
    with pytest.raises(OrderChanged):
        await store.save(placed())


async def test_every_change_has_one_event_with_the_order_as_it_was(store: OrderStore) -> None:
    """From them the order can be rebuilt; each names who caused it and in which request."""
    with context.serving(context.Call("r1", context.Caller(user_id=CUSTOMER), traceparent="00-a-b-01")):
        first = await added(store)
    second = orders.reserve_stock(first, new_id(), LATER)
    with context.background(actor="service:order", request_id="r2"):
        await store.save(second)
    events = await store.events(first.id, after=0, limit=10)
    assert [event.sequence for event in events] == [1, 2]
    assert [event.type.rpartition(".")[2] for event in events] == ["OrderCreated", "OrderStockReserved"]
    assert [(event.actor, event.request_id) for event in events] == [
        (f"user:{CUSTOMER}", "r1"),
        ("service:order", "r2"),
    ]
    told = [order_events_pb2.OrderCreated.FromString(event.payload).order for event in events]
    assert told == [order_to_proto(first), order_to_proto(second)]
    assert [event.sequence for event in await store.events(first.id, after=1, limit=10)] == [2]


async def test_the_payment_token_is_kept_only_as_long_as_it_is_needed(store: OrderStore, postgres: Postgres) -> None:
    """It is in no event, and gone from the order when it is settled."""
    order = await reserved(store)
    assert await store.payment_token(order.id) == "tok_visa"
    await store.save(orders.confirm(order, new_id(), LATER))
    with pytest.raises(OrderChanged):
        await store.payment_token(order.id)
    with postgres.superuser("order") as connection:
        payloads = connection.execute("SELECT payload FROM events").fetchall()
    assert not any(b"tok_visa" in bytes(payload) for (payload,) in payloads)


async def test_pages_go_from_the_newest_to_the_oldest_and_show_what_was_asked(store: OrderStore) -> None:
    """Nobody's order is on the page of another owner."""
    mine = [await added(store) for _ in range(5)]
    theirs = [await added(store, STRANGER) for _ in range(2)]
    everybody = {"owner": None, "customer_id": None, "state": None}
    first = await store.page({**everybody, "owner": CUSTOMER}, None, 3)
    rest = await store.page({**everybody, "owner": CUSTOMER}, first[-1].id, 3)
    assert [order.id for order in (*first, *rest)] == [order.id for order in reversed(mine)]
    assert len(await store.page(everybody, None, 50)) == 7
    assert len(await store.page({**everybody, "customer_id": STRANGER}, None, 50)) == len(theirs)
    assert await store.page({**everybody, "owner": CUSTOMER, "customer_id": STRANGER}, None, 50) == []
    await store.save(orders.reject(mine[0], Rejection("OUT_OF_STOCK", "no"), LATER))
    (found,) = await store.page({**everybody, "state": "REJECTED"}, None, 50)
    assert (found.id, found.state) == (mine[0].id, State.REJECTED)
