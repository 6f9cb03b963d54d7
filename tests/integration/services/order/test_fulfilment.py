"""Orders that ship, are cancelled in part, come back and are refunded: three services, each on its own database."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
import pytest_asyncio

from mesh import headers
from ordermesh.order.v1 import order_pb2
from ordermesh.order.v1 import order_service_pb2 as pb
from tests.integration.postgres import Postgres
from tests.integration.services.order.conclusion import settled_up
from tests.integration.services.order.shop import STRANGER, Shop, User, open_shop
from tests.integration.services.order.test_service import events_of, order_of, refusal

State = order_pb2.Order
STAFF = ("orders.read", "orders.manage", "orders.ship", "orders.refund", "orders.cancel", "orders.return")
NOWHERE = "01890000-0000-7000-8000-0000000000ff"


@pytest_asyncio.fixture
async def shop(postgres: Postgres) -> AsyncIterator[Shop]:
    """Open the shop; afterwards stock and money are where the orders say they are."""
    async with open_shop(postgres) as opened:
        await opened.stock.add_warehouse("main", "Main", 0)
        await opened.stock.receive("A", 20, "")
        await opened.stock.receive("B", 5, "")
        yield opened
        await settled_up(opened)


@pytest.fixture
def staff(shop: Shop) -> User:
    """Somebody who may do everything."""
    return shop.as_user(STRANGER, *STAFF)


def units(**quantities: int) -> list[pb.UnitsOfOrder]:
    """Name units by SKU."""
    return [pb.UnitsOfOrder(sku=sku, quantity=quantity) for sku, quantity in quantities.items()]


async def placed(shop: Shop, **quantities: int) -> order_pb2.Order:
    """Place an order."""
    found: order_pb2.Order = await shop.as_user()("CreateOrder", order_of(quantities))
    assert found.state == State.CONFIRMED
    return found


def shipment(one: order_pb2.Order, request_id: str = "", **quantities: int) -> pb.CreateShipmentRequest:
    """Ask for a shipment of units, or of all that is left."""
    return pb.CreateShipmentRequest(
        order_id=one.id, lines=units(**quantities), carrier="dhl", tracking_number="00340434", request_id=request_id
    )


async def now(staff: User, one: order_pb2.Order) -> order_pb2.Order:
    """Read an order as it stands."""
    found: order_pb2.Order = await staff("GetOrder", pb.GetOrderRequest(id=one.id))
    return found


async def test_an_order_ships_in_two_parcels_and_arrives(shop: Shop, staff: User) -> None:
    """Each takes its stock and its share of the money; together they take the total."""
    one = await placed(shop, A=3, B=1)
    first = await staff("CreateShipment", shipment(one, A=2))
    assert (first.state, first.final, first.tracking_number) == (order_pb2.Shipment.SHIPPED, False, "00340434")
    assert (await now(staff, one)).state == State.PARTIALLY_SHIPPED
    second = await staff("CreateShipment", shipment(one))
    assert [(line.sku, line.quantity) for line in second.lines] == [("A", 1), ("B", 1)]
    done = await now(staff, one)
    assert (done.state, done.captured_amount) == (State.SHIPPED, one.total)
    for each in (first, second):
        request = pb.DeliverShipmentRequest(order_id=one.id, id=each.id)
        assert (await staff("DeliverShipment", request)).state == order_pb2.Shipment.DELIVERED
        assert (await staff("DeliverShipment", request)).state == order_pb2.Shipment.DELIVERED
    assert (await now(staff, one)).state == State.DELIVERED
    assert (await events_of(staff, one.id))[3:] == ["ShipmentRequested", "Shipped"] * 2 + ["Delivered"] * 2


async def test_the_same_shipment_asked_for_twice_at_once_leaves_once(shop: Shop, staff: User) -> None:
    """Everybody gets the one there is; other content under its key is refused."""
    one = await placed(shop, A=3)
    replies = await asyncio.gather(*(staff("CreateShipment", shipment(one, "k1", A=1)) for _ in range(4)))
    assert {reply.id for reply in replies} == {replies[0].id}
    assert (await now(staff, one)).lines[0].shipped_quantity == 1
    error = await refusal(staff("CreateShipment", shipment(one, "k1", A=2)))
    assert (error.code, error.reason) == ("ALREADY_EXISTS", "IDEMPOTENCY_KEY_REUSED")


async def test_a_key_of_a_shipment_is_none_of_a_refund(shop: Shop, staff: User) -> None:
    """Although both requests say nothing but which order."""
    one = await placed(shop, A=1)
    await staff("CreateShipment", pb.CreateShipmentRequest(order_id=one.id, request_id="k1"))
    error = await refusal(staff("CreateRefund", pb.CreateRefundRequest(order_id=one.id, request_id="k1")))
    assert (error.code, error.reason) == ("ALREADY_EXISTS", "IDEMPOTENCY_KEY_REUSED")


async def test_what_is_the_same_again_by_itself_needs_no_key_and_minds_none(shop: Shop, staff: User) -> None:
    """Clients send the header Idempotency-Key with every POST."""
    key = {headers.IDEMPOTENCY_KEY: "k1"}
    one, other = await placed(shop, A=1), await placed(shop, A=1)
    sent = await staff("CreateShipment", shipment(one), **key)
    ask = pb.CreateReturnRequest(order_id=one.id, shipment_id=sent.id, lines=units(A=1))
    back = await shop.as_user()("CreateReturn", ask, **{headers.IDEMPOTENCY_KEY: "k2"})
    found = [pb.InspectedUnits(sku="A", received_quantity=1)]
    steps: list[tuple[str, Any]] = [
        ("DeliverShipment", pb.DeliverShipmentRequest(order_id=one.id, id=sent.id)),
        ("ApproveReturn", pb.ApproveReturnRequest(order_id=one.id, id=back.id)),
        ("ReceiveReturn", pb.ReceiveReturnRequest(order_id=one.id, id=back.id, lines=found)),
        ("CancelOrder", pb.CancelOrderRequest(id=other.id)),
    ]
    for method, request in steps:
        for _ in range(2):
            await staff(method, request, **key)
    assert ((await now(staff, one)).returns[0].state, (await now(staff, other)).state) == (
        order_pb2.Return.COMPLETED,
        State.CANCELLED,
    )


async def test_cancelled_units_go_back_on_sale_and_are_not_paid(shop: Shop, staff: User) -> None:
    """Before anything shipped, and then the rest."""
    one = await placed(shop, A=3, B=1)
    user = shop.as_user()
    cancelled = await user("CancelOrderLines", pb.CancelOrderLinesRequest(id=one.id, lines=units(A=1), reason="no"))
    assert (cancelled.state, cancelled.lines[0].cancelled_quantity) == (State.CONFIRMED, 1)
    await staff("CreateShipment", shipment(one, A=1))
    last = await user("CancelOrderLines", pb.CancelOrderLinesRequest(id=one.id, lines=units(A=1, B=1)))
    assert last.state == State.SHIPPED
    assert (last.captured_amount.units, last.captured_amount.nanos) == (9, 990_000_000)
    (level,) = await shop.stock.levels(["A"])
    assert (level.on_hand, level.reserved) == (19, 0)


async def test_more_than_is_left_is_refused_and_so_is_all_of_it(shop: Shop, staff: User) -> None:
    """By the line at fault; cancelling everything is cancelling the order."""
    one = await placed(shop, A=2)
    error = await refusal(staff("CreateShipment", shipment(one, A=3)))
    assert (error.reason, error.violations[0].field) == ("UNITS_NOT_LEFT", "lines[0].quantity")
    error = await refusal(staff("CreateShipment", shipment(one, B=1)))
    assert (error.code, error.violations[0].field) == ("INVALID_ARGUMENT", "lines[0].sku")
    error = await refusal(staff("CancelOrderLines", pb.CancelOrderLinesRequest(id=one.id, lines=units(A=2))))
    assert error.reason == "ORDER_NOT_CANCELLABLE"


async def test_a_shipped_order_can_not_be_cancelled_nor_a_cancelled_one_shipped(shop: Shop, staff: User) -> None:
    """The state is said."""
    shipped, cancelled = await placed(shop, A=1), await placed(shop, A=1)
    await staff("CreateShipment", shipment(shipped))
    await staff("CancelOrder", pb.CancelOrderRequest(id=cancelled.id))
    error = await refusal(staff("CancelOrder", pb.CancelOrderRequest(id=shipped.id)))
    assert (error.code, error.reason, error.metadata["state"]) == (
        "FAILED_PRECONDITION",
        "ORDER_NOT_CANCELLABLE",
        "SHIPPED",
    )
    assert (await refusal(staff("CreateShipment", shipment(cancelled)))).reason == "ORDER_NOT_SHIPPABLE"


async def test_a_shipment_that_nobody_pays_for_leaves_the_order_its_units(shop: Shop, staff: User) -> None:
    """They are held for it as before, not on sale, and go back on sale when it is cancelled."""
    one = await placed(shop, A=2, B=1)
    await staff("CreateShipment", shipment(one, A=1))
    await shop.cashier.void(await shop.payments.get(one.payment_id))
    failed = await staff("CreateShipment", shipment(one))
    assert failed.state == order_pb2.Shipment.FAILED
    (level,) = await shop.stock.levels(["B"])
    assert (level.on_hand, level.reserved) == (5, 1)
    assert (await refusal(staff("CancelOrder", pb.CancelOrderRequest(id=one.id)))).reason == "ORDER_NOT_CANCELLABLE"
    rest = await staff("CancelOrderLines", pb.CancelOrderLinesRequest(id=one.id, lines=units(A=1, B=1)))
    assert rest.state == State.SHIPPED
    (level,) = await shop.stock.levels(["B"])
    assert (level.on_hand, level.reserved) == (5, 0)


async def test_of_a_cancellation_and_a_shipment_at_once_one_wins_and_the_other_is_told(shop: Shop, staff: User) -> None:
    """Again and again, on the real databases; which of the two it is, is nobody's promise."""
    for turn in range(10):
        one = await placed(shop, A=1)
        calls = [
            staff("CreateShipment", shipment(one)),
            shop.as_user()("CancelOrder", pb.CancelOrderRequest(id=one.id)),
        ]
        outcomes = await asyncio.gather(*(calls if turn % 2 else calls[::-1]), return_exceptions=True)
        (error,) = [outcome for outcome in outcomes if isinstance(outcome, grpc.aio.AioRpcError)]
        assert error.code() is grpc.StatusCode.FAILED_PRECONDITION
        shipped = any(isinstance(outcome, order_pb2.Shipment) for outcome in outcomes)
        assert (await now(staff, one)).state == (State.SHIPPED if shipped else State.CANCELLED)


async def test_with_the_etag_of_before_the_later_of_two_is_aborted(shop: Shop, staff: User) -> None:
    """Both decided on the same order."""
    one = await placed(shop, A=2)
    requests = [shipment(one, A=1), shipment(one, A=1)]
    for each in requests:
        each.etag = one.etag
    outcomes = await asyncio.gather(*(staff("CreateShipment", each) for each in requests), return_exceptions=True)
    (error,) = [outcome for outcome in outcomes if isinstance(outcome, grpc.aio.AioRpcError)]
    assert error.code() is grpc.StatusCode.ABORTED
    assert len((await now(staff, one)).shipments) == 1


async def test_what_comes_back_is_looked_at_booked_in_and_paid_back(shop: Shop, staff: User) -> None:
    """Two of three come, one can be sold again."""
    one = await placed(shop, A=3)
    sent = await staff("CreateShipment", shipment(one))
    user = shop.as_user()
    request = pb.CreateReturnRequest(order_id=one.id, shipment_id=sent.id, lines=units(A=3), request_id="r")
    back = await user("CreateReturn", request)
    assert (await user("CreateReturn", request)).id == back.id
    await staff("ApproveReturn", pb.ApproveReturnRequest(order_id=one.id, id=back.id, note="send it to us"))
    found = [pb.InspectedUnits(sku="A", received_quantity=2, restocked_quantity=1)]
    receive = pb.ReceiveReturnRequest(order_id=one.id, id=back.id, lines=found)
    done = await staff("ReceiveReturn", receive)
    assert done.state == order_pb2.Return.COMPLETED
    assert await staff("ReceiveReturn", receive) == done
    order_now = await now(staff, one)
    (refund,) = order_now.refunds
    assert (refund.id, refund.state, refund.amount.units) == (done.refund_id, order_pb2.Refund.COMPLETED, 19)
    assert order_now.refunded_amount == refund.amount
    (level,) = await shop.stock.levels(["A"])
    assert level.on_hand == 18


async def test_a_return_that_is_turned_down_changes_nothing_else(shop: Shop, staff: User) -> None:
    """It can't be received then, and its units may be asked for again."""
    one = await placed(shop, A=1)
    sent = await staff("CreateShipment", shipment(one))
    request = pb.CreateReturnRequest(order_id=one.id, shipment_id=sent.id, lines=units(A=1))
    back = await shop.as_user()("CreateReturn", request)
    await staff("RejectReturn", pb.RejectReturnRequest(order_id=one.id, id=back.id, note="worn"))
    found = [pb.InspectedUnits(sku="A", received_quantity=1)]
    receive = pb.ReceiveReturnRequest(order_id=one.id, id=back.id, lines=found)
    assert (await refusal(staff("ReceiveReturn", receive))).reason == "RETURN_REJECTED"
    assert (await shop.as_user()("CreateReturn", request)).id != back.id


async def test_goodwill_ends_where_the_money_ends(shop: Shop, staff: User) -> None:
    """Refunds at once never give back more than was taken."""
    one = await placed(shop, A=1)
    await staff("CreateShipment", shipment(one))
    request = pb.CreateRefundRequest(order_id=one.id, reason="late")
    request.amount.CopyFrom(one.total)
    request.amount.units, request.amount.nanos = 4, 0
    outcomes = await asyncio.gather(*(staff("CreateRefund", request) for _ in range(5)), return_exceptions=True)
    refused = [outcome for outcome in outcomes if isinstance(outcome, grpc.aio.AioRpcError)]
    assert len(refused) == 3
    rest = await staff("CreateRefund", pb.CreateRefundRequest(order_id=one.id))
    assert (rest.amount.units, rest.amount.nanos) == (1, 990_000_000)
    assert (await refusal(staff("CreateRefund", pb.CreateRefundRequest(order_id=one.id)))).reason == "REFUND_TOO_MUCH"


async def test_customers_neither_ship_nor_decide_nor_refund(shop: Shop, staff: User) -> None:
    """Nor can strangers ask for returns of what is not theirs."""
    one = await placed(shop, A=1)
    sent = await staff("CreateShipment", shipment(one))
    ask = pb.CreateReturnRequest(order_id=one.id, shipment_id=sent.id, lines=units(A=1))
    back = await shop.as_user()("CreateReturn", ask)
    refused: list[tuple[str, Any]] = [
        ("CreateShipment", shipment(one)),
        ("DeliverShipment", pb.DeliverShipmentRequest(order_id=one.id, id=sent.id)),
        ("ApproveReturn", pb.ApproveReturnRequest(order_id=one.id, id=back.id)),
        ("CreateRefund", pb.CreateRefundRequest(order_id=one.id)),
        ("CreateOrderNote", pb.CreateOrderNoteRequest(order_id=one.id, text="x")),
        ("RebuildOrder", pb.RebuildOrderRequest(id=one.id)),
    ]
    for method, request in refused:
        assert (await refusal(shop.as_user()(method, request))).code == "PERMISSION_DENIED"
    stranger = shop.as_user(STRANGER)
    assert (await refusal(stranger("CreateReturn", ask))).reason == "ORDER_NOT_FOUND"
    lines = pb.CancelOrderLinesRequest(id=one.id, lines=units(A=1))
    assert (await refusal(stranger("CancelOrderLines", lines))).reason == "ORDER_NOT_FOUND"


@pytest.mark.parametrize(
    ("method", "request_", "reason"),
    [
        ("DeliverShipment", pb.DeliverShipmentRequest(id=NOWHERE), "SHIPMENT_NOT_FOUND"),
        ("ApproveReturn", pb.ApproveReturnRequest(id=NOWHERE), "RETURN_NOT_FOUND"),
        ("CreateReturn", pb.CreateReturnRequest(shipment_id=NOWHERE, lines=units(A=1)), "SHIPMENT_NOT_FOUND"),
    ],
)
async def test_what_an_order_does_not_have_is_not_found(
    shop: Shop,
    staff: User,
    method: str,
    request_: Any,  # noqa: ANN401 - any request
    reason: str,
) -> None:
    """By its kind."""
    one = await placed(shop, A=2)
    await staff("CreateShipment", shipment(one, A=1))
    request_.order_id = one.id
    assert (await refusal(staff(method, request_))).reason == reason
