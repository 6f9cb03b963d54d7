"""What is told of an order: its timeline, notes, changes as they come, and that its events are what it is."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from ordermesh.order.v1 import order_pb2
from ordermesh.order.v1 import order_service_pb2 as pb
from tests.integration.postgres import Postgres
from tests.integration.services.order.shop import STRANGER, Shop, User, open_shop
from tests.integration.services.order.test_fulfilment import STAFF, placed, shipment
from tests.integration.services.order.test_service import refusal


@pytest_asyncio.fixture
async def shop(postgres: Postgres) -> AsyncIterator[Shop]:
    """Open the shop."""
    async with open_shop(postgres) as opened:
        await opened.stock.add_warehouse("main", "Main", 0)
        await opened.stock.receive("A", 20, "")
        yield opened


@pytest.fixture
def staff(shop: Shop) -> User:
    """Somebody who may do everything."""
    return shop.as_user(STRANGER, *STAFF)


def note(one: order_pb2.Order, text: str, *, visible: bool, request_id: str = "") -> pb.CreateOrderNoteRequest:
    """Write a note."""
    return pb.CreateOrderNoteRequest(order_id=one.id, text=text, customer_visible=visible, request_id=request_id)


async def timeline(user: User, one: order_pb2.Order) -> list[str]:
    """Read all of it, in small pages."""
    told: list[str] = []
    request = pb.ListOrderTimelineRequest(id=one.id, page_size=2)
    while True:
        page = await user("ListOrderTimeline", request)
        told += [entry.text for entry in page.entries]
        if not page.next_page_token:
            return told
        request.page_token = page.next_page_token


async def test_the_timeline_tells_events_and_notes_as_they_came(shop: Shop, staff: User) -> None:
    """Customers don't see what staff tell each other, by no way."""
    one = await placed(shop, A=2)
    await staff("CreateOrderNote", note(one, "gift wrap it", visible=True))
    await staff("CreateOrderNote", note(one, "may be fraud", visible=False))
    await staff("CreateShipment", shipment(one))
    expected = [
        "The order was placed",
        "The stock is held",
        "The payment was authorized: the order is confirmed",
        "Note: gift wrap it",
        "Note: may be fraud",
        "A shipment is being prepared: 2 x A",
        "Shipped by dhl, tracking number 00340434: 2 x A",
    ]
    assert await timeline(staff, one) == expected
    user = shop.as_user()
    assert await timeline(user, one) == [each for each in expected if "fraud" not in each]
    notes = await user("ListOrderNotes", pb.ListOrderNotesRequest(order_id=one.id))
    assert [each.text for each in notes.notes] == ["gift wrap it"]
    events = await user("ListOrderEvents", pb.ListOrderEventsRequest(id=one.id))
    assert not any(b"fraud" in event.payload.value for event in events.events)


async def test_a_note_is_written_once_for_each_request_id(shop: Shop, staff: User) -> None:
    """The order's etag is not changed by it."""
    one = await placed(shop, A=1)
    first = await staff("CreateOrderNote", note(one, "call her", visible=False, request_id="n1"))
    assert await staff("CreateOrderNote", note(one, "call her", visible=False, request_id="n1")) == first
    error = await refusal(staff("CreateOrderNote", note(one, "call him", visible=False, request_id="n1")))
    assert error.reason == "IDEMPOTENCY_KEY_REUSED"
    assert (await staff("GetOrder", pb.GetOrderRequest(id=one.id))).etag == one.etag
    assert first.author == f"user:{STRANGER}"


async def test_an_order_rebuilt_from_its_events_is_the_order(shop: Shop, staff: User, postgres: Postgres) -> None:
    """And one that was tampered with is not."""
    one = await placed(shop, A=2)
    await staff("CreateShipment", shipment(one, A=1))
    now = await staff("GetOrder", pb.GetOrderRequest(id=one.id))
    rebuilt = await staff("RebuildOrder", pb.RebuildOrderRequest(id=one.id))
    assert (rebuilt.order, list(rebuilt.differences)) == (now, [])
    with postgres.superuser("order") as connection:
        connection.execute("UPDATE order_lines SET shipped = 2")
    (difference,) = (await staff("RebuildOrder", pb.RebuildOrderRequest(id=one.id))).differences
    assert difference.startswith("lines: ")


async def test_an_order_is_watched_as_it_changes(shop: Shop, staff: User) -> None:
    """First as it stands; strangers see nothing."""
    one = await placed(shop, A=2)
    looking, stop = asyncio.Event(), asyncio.Event()
    worker = asyncio.create_task(shop.watching.run(stop))
    stream = shop.as_user().stream("WatchOrder", pb.WatchOrderRequest(id=one.id))
    assert await anext(stream) == one
    looking.set()
    await staff("CreateShipment", shipment(one))
    seen = await anext(stream)
    while seen.state != order_pb2.Order.SHIPPED:
        seen = await anext(stream)
    assert seen == await staff("GetOrder", pb.GetOrderRequest(id=one.id))
    stop.set()
    await worker
    with pytest.raises(StopAsyncIteration):
        await anext(stream)
    error = await refusal(anext(shop.as_user(STRANGER).stream("WatchOrder", pb.WatchOrderRequest(id=one.id))))
    assert error.reason == "ORDER_NOT_FOUND"


async def test_orders_are_listed_by_when_they_were_placed(shop: Shop) -> None:
    """From one moment, before another."""
    orders = [await placed(shop, A=1) for _ in range(3)]
    request = pb.ListOrdersRequest(page_size=1)
    request.create_time_from.CopyFrom(orders[1].create_time)
    page = await shop.as_user()("ListOrders", request)
    assert [each.id for each in page.orders] == [orders[2].id]
    request.page_token = page.next_page_token
    rest = await shop.as_user()("ListOrders", request)
    assert ([each.id for each in rest.orders], rest.next_page_token) == ([orders[1].id], "")
    until = pb.ListOrdersRequest()
    until.create_time_before.CopyFrom(orders[1].create_time)
    assert [each.id for each in (await shop.as_user()("ListOrders", until)).orders] == [orders[0].id]
    until.page_token = page.next_page_token
    assert (await refusal(shop.as_user()("ListOrders", until))).reason == "PAGE_TOKEN_INVALID"


async def test_a_batch_places_each_order_for_itself(shop: Shop) -> None:
    """Sent again it gives the same answers; one that is wrong says so at its place."""
    lines = [pb.CreateOrderLine(sku="A", quantity=1)]
    requests = [pb.CreateOrderRequest(lines=lines, payment_token="tok_visa", request_id=f"k{n}") for n in range(3)]
    for each in requests:
        each.shipping_address.region_code = "DE"
    requests[1].lines[0].sku = "unsold"
    batch = pb.BatchCreateOrdersRequest(requests=requests)
    first = await shop.as_user()("BatchCreateOrders", batch)
    assert [each.WhichOneof("outcome") for each in first.outcomes] == ["order", "error", "order"]
    assert first.outcomes[1].error.code == 3
    again = await shop.as_user()("BatchCreateOrders", batch)
    assert [each.order for each in again.outcomes] == [each.order for each in first.outcomes]
    del batch.requests[2:]
    batch.requests[1].request_id = "k0"
    assert (await refusal(shop.as_user()("BatchCreateOrders", batch))).code == "INVALID_ARGUMENT"


async def test_placing_an_order_takes_three_statements_and_two_calls(shop: Shop) -> None:
    """Whatever else an order can do: the way that every order goes stays short."""
    before = (shop.disk.crossed, shop.wire.crossed)
    await placed(shop, A=1)
    assert (shop.disk.crossed - before[0], shop.wire.crossed - before[1]) == (3 * 2, 2 * 2)
