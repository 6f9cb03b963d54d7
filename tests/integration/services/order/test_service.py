"""Orders from the request to the outcome: three services over gRPC, each on its own database."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
import pytest_asyncio

from mesh import errors, headers, status
from ordermesh.order.v1 import order_pb2
from ordermesh.order.v1 import order_service_pb2 as pb
from services.inventory.domain.sourcing import Strategy
from tests.integration.postgres import Postgres
from tests.integration.services.order.conclusion import audit
from tests.integration.services.order.shop import STRANGER, Shop, User, open_shop
from tests.peers import PEER

State = order_pb2.Order


@pytest_asyncio.fixture
async def shop(postgres: Postgres) -> AsyncIterator[Shop]:
    """Open the shop with something to sell; no order may be left holding anything that it has no right to."""
    async with open_shop(postgres) as opened:
        await opened.stock.add_warehouse("main", "Main", 0)
        await opened.stock.receive("A", 20, "", None)
        await opened.stock.receive("B", 5, "", None)
        yield opened
    audit(postgres)


def order(token: str = "tok_visa", request_id: str = "", **quantities: int) -> pb.CreateOrderRequest:
    """Make a request for some of A, unless other SKUs are named."""
    return order_of(quantities or {"A": 2}, token, request_id)


def order_of(wanted: dict[str, int], token: str = "tok_visa", request_id: str = "") -> pb.CreateOrderRequest:
    """Make a request for units by SKU."""
    lines = [pb.CreateOrderLine(sku=sku, quantity=quantity) for sku, quantity in wanted.items()]
    request = pb.CreateOrderRequest(lines=lines, payment_token=token, request_id=request_id)
    request.shipping_address.region_code = "DE"
    return request


async def refusal(call: Any) -> errors.Error:  # noqa: ANN401 - any call
    """Wait for the failure there must be."""
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await call
    return status.error_from(failure.value)


async def events_of(user: User, order_id: str) -> list[str]:
    """List what happened to an order."""
    history = await user("ListOrderEvents", pb.ListOrderEventsRequest(id=order_id))
    return [event.type.rpartition(".Order")[2] for event in history.events]


async def test_an_order_is_confirmed_with_stock_and_money_held(shop: Shop) -> None:
    """The reply has the outcome, the history every step and who caused it."""
    user = shop.as_user()
    placed = await user("CreateOrder", order(A=2, B=1))
    assert placed.state == State.CONFIRMED
    assert (placed.total.units, placed.total.nanos) == (29, 970_000_000)
    assert await user("GetOrder", pb.GetOrderRequest(id=placed.id)) == placed
    assert await events_of(user, placed.id) == ["Created", "StockReserved", "Confirmed"]


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (order(A=21), "OUT_OF_STOCK"),
        (order(A=1, B=6), "OUT_OF_STOCK"),
        (order("tok_declined"), "CARD_DECLINED"),
        (order("tok_timeout"), "GATEWAY_TIMEOUT"),
        (order("tok_of_nobody"), "INVALID_PAYMENT_TOKEN"),
    ],
)
async def test_an_order_that_can_not_be_had_is_rejected_and_holds_nothing(
    shop: Shop, request_: pb.CreateOrderRequest, reason: str
) -> None:
    """An answer, not an error; the audit after the test looks for what was left."""
    rejected = await shop.as_user()("CreateOrder", request_)
    assert (rejected.state, rejected.rejection.reason) == (State.REJECTED, reason)


async def test_a_reply_lost_by_the_gateway_does_not_change_the_outcome(shop: Shop) -> None:
    """Charged once, confirmed."""
    assert (await shop.as_user()("CreateOrder", order("tok_lost_reply"))).state == State.CONFIRMED


async def test_a_large_order_that_is_out_of_stock_is_rejected_too(shop: Shop) -> None:
    """A hundred long SKUs are more than fits into the header of an error."""
    wanted = {f"{at:03}{'X' * 61}": 1 for at in range(100)}
    rejected = await shop.as_user()("CreateOrder", order_of(wanted))
    assert (rejected.state, rejected.rejection.reason) == (State.REJECTED, "OUT_OF_STOCK")


async def test_a_sku_that_is_not_sold_is_named_by_its_line(shop: Shop) -> None:
    """There is no order then."""
    error = await refusal(shop.as_user()("CreateOrder", order(A=1, unsold=1)))
    assert [(each.field, each.reason) for each in error.violations] == [("lines[1].sku", "SKU_NOT_FOUND")]
    assert not (await shop.as_user()("ListOrders", pb.ListOrdersRequest())).orders


async def test_the_same_key_at_once_places_one_order_and_gives_everybody_its_outcome(shop: Shop) -> None:
    """By field or by header."""
    user = shop.as_user()
    by_field = (user("CreateOrder", order(request_id="k1")) for _ in range(6))
    by_header = (user("CreateOrder", order(), **{headers.IDEMPOTENCY_KEY: "k1"}) for _ in range(6))
    replies = await asyncio.gather(*by_field, *by_header)
    assert all(reply == replies[0] for reply in replies)
    assert replies[0].state == State.CONFIRMED
    error = await refusal(user("CreateOrder", order(A=3, request_id="k1")))
    assert (error.code, error.reason) == ("ALREADY_EXISTS", "IDEMPOTENCY_KEY_REUSED")


async def test_a_cancelled_order_gives_everything_back(shop: Shop) -> None:
    """Cancelled twice it is cancelled once."""
    user = shop.as_user()
    placed = await user("CreateOrder", order(A=20))
    cancelled = await user("CancelOrder", pb.CancelOrderRequest(id=placed.id, reason="changed my mind"))
    assert (cancelled.state, cancelled.cancel_reason) == (State.CANCELLED, "changed my mind")
    assert await user("CancelOrder", pb.CancelOrderRequest(id=placed.id, etag="1")) == cancelled
    assert (await events_of(user, placed.id))[3:] == ["CancellationRequested", "Cancelled"]
    assert (await user("CreateOrder", order(A=20))).state == State.CONFIRMED


async def test_an_order_that_changed_is_not_cancelled_by_its_old_etag(shop: Shop) -> None:
    """Whoever asks has not seen what it has become."""
    placed = await shop.as_user()("CreateOrder", order())
    error = await refusal(shop.as_user()("CancelOrder", pb.CancelOrderRequest(id=placed.id, etag="1")))
    assert (error.code, error.reason) == ("ABORTED", "ORDER_CHANGED")


async def test_a_rejected_order_can_not_be_cancelled(shop: Shop) -> None:
    """There is nothing to give back."""
    rejected = await shop.as_user()("CreateOrder", order("tok_declined"))
    error = await refusal(shop.as_user()("CancelOrder", pb.CancelOrderRequest(id=rejected.id)))
    assert error.reason == "ORDER_NOT_CANCELLABLE"


async def test_the_orders_of_others_do_not_exist(shop: Shop) -> None:
    """For nobody but staff: not to read, not to cancel, not in a list."""
    placed = await shop.as_user()("CreateOrder", order())
    stranger = shop.as_user(STRANGER)
    for method, request in (
        ("GetOrder", pb.GetOrderRequest(id=placed.id)),
        ("CancelOrder", pb.CancelOrderRequest(id=placed.id)),
        ("ListOrderEvents", pb.ListOrderEventsRequest(id=placed.id)),
    ):
        assert (await refusal(stranger(method, request))).reason == "ORDER_NOT_FOUND"
    assert not (await stranger("ListOrders", pb.ListOrdersRequest())).orders
    staff = shop.as_user(STRANGER, "orders.read", "orders.manage")
    assert (await staff("GetOrder", pb.GetOrderRequest(id=placed.id))).id == placed.id


async def test_pages_are_bound_to_their_owner_and_filters(shop: Shop) -> None:
    """A token taken elsewhere is refused, and one made up too."""
    user = shop.as_user()
    for _ in range(3):
        await user("CreateOrder", order(A=1))
    first = await user("ListOrders", pb.ListOrdersRequest(page_size=2))
    rest = await user("ListOrders", pb.ListOrdersRequest(page_size=2, page_token=first.next_page_token))
    ids = [each.id for each in (*first.orders, *rest.orders)]
    assert (ids, rest.next_page_token) == (sorted(ids, reverse=True), "")
    assert len(set(ids)) == 3
    foreign = pb.ListOrdersRequest(page_token=first.next_page_token)
    filtered = pb.ListOrdersRequest(page_token=first.next_page_token, state=State.CONFIRMED)
    for call in (shop.as_user(STRANGER)("ListOrders", foreign), user("ListOrders", filtered)):
        assert (await refusal(call)).reason == "PAGE_TOKEN_INVALID"


async def test_services_place_no_orders(shop: Shop) -> None:
    """An order has a customer."""
    peer = ((PEER, "notification"),)
    stub: Any = shop.channel.unary_unary(
        "/ordermesh.order.v1.OrderService/CreateOrder", request_serializer=pb.CreateOrderRequest.SerializeToString
    )
    assert (await refusal(stub(order(), metadata=peer))).reason == "CUSTOMER_REQUIRED"


async def test_services_get_many_orders_at_once_and_those_that_are_none_are_left_out(shop: Shop) -> None:
    """In the order asked, an id in capitals too; not for users."""
    placed = [await shop.as_user()("CreateOrder", order(A=1)) for _ in range(3)]
    asked = [placed[2].id.upper(), STRANGER, placed[0].id]
    found = await shop.as_service("inventory")("BatchGetOrders", pb.BatchGetOrdersRequest(ids=asked))
    assert list(found.orders) == [placed[2], placed[0]]
    error = await refusal(shop.as_user()("BatchGetOrders", pb.BatchGetOrdersRequest(ids=asked)))
    assert error.code == "PERMISSION_DENIED"


async def test_stock_comes_from_the_warehouse_that_is_near_where_the_order_goes(postgres: Postgres) -> None:
    """Where the installation wants that."""
    async with open_shop(postgres, sourcing=Strategy.NEAREST) as shop:
        for code, regions in (("paris", ("FR",)), ("berlin", ("DE",))):
            await shop.stock.add_warehouse(code, code, 0, region_codes=regions)
            await shop.stock.receive("A", 5, code)
        await shop.as_user()("CreateOrder", order(A=1))
        reserved = {level.warehouse_code: level.reserved for level in await shop.stock.levels(["A"])}
    assert reserved == {"paris": 0, "berlin": 1}
