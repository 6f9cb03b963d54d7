"""Erasing a customer from the real order database: rows and events still agree, and nothing personal is in either."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from deploy.native import secrets
from ordermesh.order.v1 import order_pb2
from ordermesh.order.v1 import order_service_pb2 as pb
from services.order.store.erasing import erase, open_orders
from tests.integration.postgres import Postgres
from tests.integration.services.order.shop import CUSTOMER, STRANGER, Shop, User, open_shop
from tests.integration.services.order.test_fulfilment import STAFF, shipment
from tests.integration.services.order.test_history import note


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


@pytest.fixture
def url(postgres: Postgres) -> str:
    """Address of the database, as the role that owns it."""
    return postgres.url("order", secrets.owner_role("order"))


async def bought(buyer: User, request_id: str) -> order_pb2.Order:
    """Order something to a place that nobody else lives at."""
    request = pb.CreateOrderRequest(
        lines=[pb.CreateOrderLine(sku="A", quantity=1)], payment_token="tok_visa", request_id=request_id
    )
    request.shipping_address.region_code = "DE"
    request.shipping_address.address_lines.append("Secret Street 1")
    placed: order_pb2.Order = await buyer("CreateOrder", request)
    return placed


async def test_an_erased_customers_orders_keep_their_books_and_no_address(
    shop: Shop, staff: User, url: str, postgres: Postgres
) -> None:
    """Rebuilt from its events an order is still what it is, and another customer's is as it was. It may be repeated."""
    one, others = await bought(shop.as_user(), "k1"), await bought(shop.as_user(STRANGER), "k2")
    await staff("CreateOrderNote", note(one, "Secret neighbour", visible=True))
    await staff("CreateShipment", shipment(one))
    first, again = erase(url, CUSTOMER), erase(url, CUSTOMER)
    assert (first.orders, first.notes) == (1, 1)
    assert again == first
    rebuilt = await staff("RebuildOrder", pb.RebuildOrderRequest(id=one.id))
    assert list(rebuilt.differences) == []
    assert (rebuilt.order.shipping_address.region_code, rebuilt.order.total) == ("DE", one.total)
    with postgres.superuser("order") as connection:
        payloads = connection.execute(
            "SELECT payload FROM events WHERE position(%s in payload) > 0", (b"Secret",)
        ).fetchall()
        assert len(payloads) >= 1  # Those of the other customer.
        for table in ("orders", "order_notes"):
            rows = connection.execute(f"SELECT t::text FROM {table} t").fetchall()  # noqa: S608 - one of the two
            assert [row for (row,) in rows if "Secret" in str(row) and others.id not in str(row)] == []
        assert connection.execute(
            "SELECT count(*) FROM events WHERE position(%s in payload) > 0 AND aggregate_id <> %s",
            (b"Secret", others.id),
        ).fetchone() == (0,)


async def test_orders_on_their_way_are_named(shop: Shop, staff: User, url: str) -> None:
    """They need their address; once shipped they don't."""
    one = await bought(shop.as_user(), "k1")
    assert open_orders(url, CUSTOMER) == [one.id]
    await staff("CreateShipment", shipment(one))
    assert open_orders(url, CUSTOMER) == []
