"""The process is killed before and after every call and every commit of each change, and recovery takes over.

Systematically: crossing number 0, then 1, and so on, until the change comes through without dying. Then stock, money,
rows and events of all three databases must agree, and the same request sent again must find the one change it made.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import pytest

from ordermesh.order.v1 import order_pb2
from ordermesh.order.v1 import order_service_pb2 as pb
from services.order.domain.order import State
from tests.integration.postgres import Postgres
from tests.integration.services.order.conclusion import settled_up
from tests.integration.services.order.shop import STRANGER, Shop, User, open_shop
from tests.integration.services.order.test_faults import recovered
from tests.integration.services.order.test_fulfilment import STAFF, units
from tests.integration.services.order.test_service import order

Act = Callable[[], Awaitable[Any]]
MOST_CROSSINGS = 60


class Scene:
    """A shop with a staff member, and the steps that lead to where a change begins."""

    def __init__(self, shop: Shop) -> None:
        """Act as both the customer and staff."""
        self.shop = shop
        self.customer: User = shop.as_user()
        self.staff: User = shop.as_user(STRANGER, *STAFF)

    async def placed(self, key: str) -> order_pb2.Order:
        """Have an order of 2 A and 1 B confirmed."""
        found: order_pb2.Order = await self.customer("CreateOrder", order(request_id=key, A=2, B=1))
        return found

    async def shipped(self, key: str, **quantities: int) -> order_pb2.Order:
        """Have units of it shipped, or all."""
        one = await self.placed(key)
        await self.staff("CreateShipment", pb.CreateShipmentRequest(order_id=one.id, lines=units(**quantities)))
        found: order_pb2.Order = await self.staff("GetOrder", pb.GetOrderRequest(id=one.id))
        return found


async def place(scene: Scene, key: str) -> Act:
    """Place an order that can be had."""
    return lambda: scene.customer("CreateOrder", order(request_id=key, A=2, B=1))


async def place_declined(scene: Scene, key: str) -> Act:
    """Place one whose card is declined."""
    return lambda: scene.customer("CreateOrder", order("tok_declined", key, A=2))


async def place_too_much(scene: Scene, key: str) -> Act:
    """Place one that is out of stock."""
    return lambda: scene.customer("CreateOrder", order(request_id=key, B=10_000))


async def cancel(scene: Scene, key: str) -> Act:
    """Cancel an order."""
    one = await scene.placed(key)
    return lambda: scene.customer("CancelOrder", pb.CancelOrderRequest(id=one.id))


async def cancel_lines(scene: Scene, key: str) -> Act:
    """Cancel a part of it."""
    one = await scene.placed(key)
    request = pb.CancelOrderLinesRequest(id=one.id, lines=units(A=1), request_id=key)
    return lambda: scene.customer("CancelOrderLines", request)


async def cancel_the_rest(scene: Scene, key: str) -> Act:
    """Cancel all that has not shipped."""
    one = await scene.shipped(key, A=1)
    request = pb.CancelOrderLinesRequest(id=one.id, lines=units(A=1, B=1), request_id=key)
    return lambda: scene.customer("CancelOrderLines", request)


async def ship_a_part(scene: Scene, key: str) -> Act:
    """Ship some of it."""
    one = await scene.placed(key)
    request = pb.CreateShipmentRequest(order_id=one.id, lines=units(A=1), request_id=key)
    return lambda: scene.staff("CreateShipment", request)


async def ship_the_rest(scene: Scene, key: str) -> Act:
    """Ship what is left after a part."""
    one = await scene.shipped(key, A=1)
    request = pb.CreateShipmentRequest(order_id=one.id, request_id=key)
    return lambda: scene.staff("CreateShipment", request)


async def ship_without_money(scene: Scene, key: str) -> Act:
    """Ship an order whose hold was given up behind its back: the capture is refused."""
    one = await scene.placed(key)
    await scene.shop.cashier.void(await scene.shop.payments.get(one.payment_id))
    request = pb.CreateShipmentRequest(order_id=one.id, request_id=key)
    return lambda: scene.staff("CreateShipment", request)


async def receive_a_return(scene: Scene, key: str) -> Act:
    """Take units back, and pay for them."""
    one = await scene.shipped(key)
    ask = pb.CreateReturnRequest(order_id=one.id, shipment_id=one.shipments[0].id, lines=units(A=2))
    back = await scene.customer("CreateReturn", ask)
    await scene.staff("ApproveReturn", pb.ApproveReturnRequest(order_id=one.id, id=back.id))
    found = [pb.InspectedUnits(sku="A", received_quantity=2, restocked_quantity=1)]
    request = pb.ReceiveReturnRequest(order_id=one.id, id=back.id, lines=found)
    return lambda: scene.staff("ReceiveReturn", request)


async def refund(scene: Scene, key: str) -> Act:
    """Give all of the money back."""
    one = await scene.shipped(key)
    return lambda: scene.staff("CreateRefund", pb.CreateRefundRequest(order_id=one.id, request_id=key))


OUTCOMES: dict[Callable[[Scene, str], Awaitable[Act]], set[str]] = {
    place: {State.CONFIRMED},
    place_declined: {State.REJECTED},
    place_too_much: {State.REJECTED},
    cancel: {State.CANCELLED},
    cancel_lines: {State.CONFIRMED},
    cancel_the_rest: {State.SHIPPED},
    ship_a_part: {State.PARTIALLY_SHIPPED},
    ship_the_rest: {State.SHIPPED},
    ship_without_money: {State.CONFIRMED},
    receive_a_return: {State.SHIPPED},
    refund: {State.SHIPPED},
}


async def comes_through(scene: Scene, act: Act, crossings: int) -> bool:
    """Act until the process dies after so many crossings, to others or to its database; tell whether it didn't."""
    scene.shop.die_after(crossings)
    try:
        await act()
    except grpc.aio.AioRpcError:
        return False
    else:
        return not scene.shop.died
    finally:
        scene.shop.die_after(None)


@pytest.mark.parametrize("prepare", OUTCOMES, ids=lambda prepare: prepare.__name__)
async def test_killed_anywhere_a_change_comes_to_its_one_outcome(
    postgres: Postgres, prepare: Callable[[Scene, str], Awaitable[Act]]
) -> None:
    """Recovery drives it on; the customer, who got no answer, asks again and finds it done once."""
    async with open_shop(postgres) as shop:
        scene = Scene(shop)
        await shop.stock.add_warehouse("main", "Main", 0)
        for sku in ("A", "B"):
            await shop.stock.receive(sku, 500, "")
        acts = []
        for crossings in range(MOST_CROSSINGS):
            act = await prepare(scene, f"k{crossings}")
            acts.append(act)
            if await comes_through(scene, act, crossings):
                break
        else:
            pytest.fail(f"still dying after {MOST_CROSSINGS} crossings")
        await recovered(shop)
        await settled_up(shop)
        answers = [await act() for act in acts]
        states = await settled_up(shop)
    assert set(states) == OUTCOMES[prepare]
    assert sum(states.values()) == len(acts) > 3
    assert len({answer.id for answer in answers}) == len(acts)
