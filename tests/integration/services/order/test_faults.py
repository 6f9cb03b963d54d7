"""Whatever is lost on the way and whoever dies: every order comes to one outcome, and nothing is held without one."""

import asyncio
import random
from datetime import UTC, datetime, timedelta

import grpc
import pytest

from mesh import errors
from ordermesh.order.v1 import order_pb2
from ordermesh.order.v1 import order_service_pb2 as pb
from services.common.ids import new_id
from services.order.domain import placing as orders
from services.order.domain.order import Order
from services.order.store import Stuck
from tests.integration.postgres import Postgres
from tests.integration.services.order.conclusion import audit
from tests.integration.services.order.examples import request
from tests.integration.services.order.shop import CUSTOMER, LEASE, Catalogue, Shop, open_shop
from tests.integration.services.order.test_service import order
from tests.integration.services.order.wire import ProcessDiedError

ORDERS = 24


async def recovered(shop: Shop) -> None:
    """Let the leases of the dead run out, and recovery work until nothing is unsettled."""
    async with asyncio.timeout(120):
        while await unsettled(shop):
            await abandoned(shop)
            await shop.recovery.once()
            await asyncio.sleep(0.1)


async def abandoned(shop: Shop) -> None:
    """Let the leases of all orders that are on their way run out."""
    for each in await unsettled(shop):
        await shop.orders.give_up_lease(each.id)


async def unsettled(shop: Shop) -> list[Stuck]:
    """List the orders that are on their way."""
    return await shop.orders.stuck(timedelta(0), 500)


async def stocked(shop: Shop) -> None:
    """Have something to sell, not enough for everybody."""
    await shop.stock.add_warehouse("main", "Main", 0)
    await shop.stock.receive("A", ORDERS, "", None)
    await shop.stock.receive("B", ORDERS // 2, "", None)


@pytest.mark.parametrize("seed", range(2))
async def test_over_a_bad_wire_every_order_comes_to_its_outcome(postgres: Postgres, seed: int) -> None:
    """One in eight requests and replies is lost; some orders are cancelled meanwhile."""
    luck = random.Random(seed)  # noqa: S311 - luck, not secrecy
    async with open_shop(postgres) as shop:
        await stocked(shop)
        shop.wire.luck, shop.wire.lost_requests, shop.wire.lost_replies = luck, 12, 12
        user = shop.as_user()

        async def shopping(number: int) -> None:
            token = luck.choice(["tok_visa", "tok_visa", "tok_declined", "tok_lost_reply"])
            wanted = luck.choice([{"A": 1}, {"B": 1}, {"A": 2, "B": 1}])
            reply = await user("CreateOrder", order(token, f"k{number}", **wanted))
            if luck.randrange(3) == 0:
                await user("CancelOrder", pb.CancelOrderRequest(id=reply.id))

        outcomes = await asyncio.gather(*(shopping(number) for number in range(ORDERS)), return_exceptions=True)
        # A rejected order can't be cancelled, and one that changes meanwhile may be; nobody is told of a lost message.
        for outcome in outcomes:
            assert outcome is None or isinstance(outcome, grpc.aio.AioRpcError)
            assert outcome is None or outcome.code() is grpc.StatusCode.FAILED_PRECONDITION
        await recovered(shop)
    found = audit(postgres)
    assert sum(found.values()) == ORDERS
    assert {"CONFIRMED", "REJECTED", "CANCELLED"} >= set(found)
    assert found["CONFIRMED"] > 0


async def waiting(shop: Shop) -> Order:
    """Place an order that nobody drives yet."""
    now = datetime.now(UTC)
    one = orders.place(new_id(), CUSTOMER, await Catalogue().lines([("A", 1)], "EUR"), {}, now)
    assert await shop.orders.add(one, request())
    return one


async def killed(shop: Shop, one: Order, crossings: int) -> None:
    """Drive an order until the process dies."""
    shop.wire.life.crossings = crossings
    with pytest.raises(ProcessDiedError):
        await shop.saga.drive(one)
    shop.wire.life.crossings = None


async def test_wherever_a_process_dies_another_takes_its_order_on(postgres: Postgres) -> None:
    """Before and after each thing it asks of others, on the way forward and on the way back."""
    async with open_shop(postgres) as shop:
        await stocked(shop)
        for crossings in range(4):
            await killed(shop, await waiting(shop), crossings)
        for crossings in range(4):
            one = await shop.saga.drive(await waiting(shop))
            one = orders.request_cancellation(one, "", one.update_time)
            await shop.orders.save(one)
            await killed(shop, one, crossings)
        await recovered(shop)
    assert audit(postgres) == {"CONFIRMED": 4, "CANCELLED": 4}


async def test_a_cancellation_meets_an_order_wherever_it_stands(postgres: Postgres) -> None:
    """Its driver died before; nothing stays held, also not by requests that arrive late."""
    async with open_shop(postgres) as shop:
        await stocked(shop)
        for crossings in range(4):
            one = await waiting(shop)
            await killed(shop, one, crossings)
            cancelled = await shop.as_user()("CancelOrder", pb.CancelOrderRequest(id=one.id))
            assert cancelled.state == order_pb2.Order.CANCELLED
            with pytest.raises(errors.FailedPrecondition):
                await shop.stock.reserve(one.id, {"A": 1})
    assert audit(postgres) == {"CANCELLED": 4}


async def test_an_order_that_is_too_old_is_given_up_with_nothing_held(postgres: Postgres) -> None:
    """Wherever its driver died."""
    async with open_shop(postgres, give_up=0.2) as shop:
        await stocked(shop)
        for crossings in range(4):
            await killed(shop, await waiting(shop), crossings)
        await asyncio.sleep(0.2)
        await recovered(shop)
        rejected = await shop.orders.page({"owner": None, "customer_id": None, "state": "REJECTED"}, None, 50)
        assert {one.rejection.reason for one in rejected if one.rejection} == {"TIMED_OUT"}
    assert audit(postgres) == {"REJECTED": 4}


async def test_two_recoveries_at_once_do_no_harm(postgres: Postgres) -> None:
    """Of two instances, one of which has been slow for longer than its lease."""
    async with open_shop(postgres) as shop:
        await stocked(shop)
        for crossings in (0, 1, 2, 3) * 3:
            await killed(shop, await waiting(shop), crossings)
        await abandoned(shop)
        claimed = await shop.orders.claim_unsettled(50, timedelta(0))
        again = await shop.orders.claim_unsettled(50, LEASE)
        assert len(claimed) == len(again) == 12
        await asyncio.gather(*(shop.saga.drive(one) for one in (*claimed, *again)))
    assert audit(postgres) == {"CONFIRMED": 12}
