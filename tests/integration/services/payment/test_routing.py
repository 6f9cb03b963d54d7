"""Another gateway is asked only when the first was surely not reached; a late answer never undoes what was decided."""

import asyncio
from datetime import timedelta

import pytest

from mesh import errors
from services.common.database import Database
from services.common.ids import new_id
from services.common.money import Money
from services.payment.adapters.gateway import Approved
from services.payment.domain.errors import NothingToAsk
from services.payment.domain.payment import State
from services.payment.routing import Gateways, RouteError
from services.payment.store import PaymentStore, SandboxAccounts
from tests.integration.services.payment.conftest import Desk, desk_of, guarded
from tests.integration.services.payment.gateway import Gateway

CUSTOMER = "01890000-0000-7000-8000-00000000c001"
PRICE = Money("EUR", 1999)


@pytest.fixture
def second(database: Database) -> Gateway:
    """Open another gateway."""
    return Gateway(SandboxAccounts(database), "second")


@pytest.fixture
def pair(store: PaymentStore, gateway: Gateway, second: Gateway) -> Desk:
    """Route euros to both, the sandbox first; its breaker opens after three failures."""
    gateways = {gateway.name: guarded(gateway, failures=3), second.name: guarded(second)}
    return desk_of(store, Gateways(gateways, {"EUR": [gateway.name, second.name]}))


async def test_a_gateway_that_is_down_is_passed_over(pair: Desk, gateway: Gateway, second: Gateway) -> None:
    """The payment remembers who holds the money, and captures there."""
    gateway.down = True
    payment = await pair.cashier.authorize(new_id(), CUSTOMER, PRICE, "tok_visa")
    assert (payment.state, payment.gateway, second.authorizations) == (State.AUTHORIZED, "second", 1)
    gateway.down = False
    captured = await pair.movements.capture(payment, None, None)
    assert (captured.captured, captured.gateway) == (PRICE, "second")


async def test_no_other_gateway_is_asked_after_an_unknown_outcome(
    pair: Desk, gateway: Gateway, second: Gateway
) -> None:
    """The first one may hold the money."""
    gateway.mute = True
    payment = await pair.cashier.authorize(new_id(), CUSTOMER, PRICE, "tok_visa")
    assert (payment.state, payment.gateway, second.authorizations) == (State.PENDING, "sandbox", 0)
    gateway.mute = False
    assert (await pair.cashier.resolve(payment)).state is State.AUTHORIZED


async def test_a_gateway_that_keeps_failing_is_left_alone(pair: Desk, gateway: Gateway, second: Gateway) -> None:
    """New payments begin at the next one without asking it."""
    gateway.down = True
    for _ in range(3):
        await pair.cashier.authorize(new_id(), CUSTOMER, PRICE, "tok_visa")
    gateway.down = False
    payment = await pair.cashier.authorize(new_id(), CUSTOMER, PRICE, "tok_visa")
    assert (payment.gateway, gateway.authorizations, second.authorizations) == ("second", 0, 4)


async def test_when_nobody_can_be_asked_nothing_is_begun(store: PaymentStore, gateway: Gateway) -> None:
    """The caller may send it again; the order has no payment yet."""
    desk = desk_of(store, Gateways({gateway.name: guarded(gateway, failures=1)}, {"*": [gateway.name]}))
    gateway.down = True
    assert (await desk.cashier.authorize(new_id(), CUSTOMER, PRICE, "tok_visa")).state is State.PENDING
    order_id = new_id()
    with pytest.raises(errors.Unavailable):
        await desk.cashier.authorize(order_id, CUSTOMER, PRICE, "tok_visa")
    assert await store.of_order(order_id) is None
    gateway.down = False
    await desk_of(store, Gateways({gateway.name: guarded(gateway)}, {})).leftovers.settle(timedelta(0))


async def test_a_currency_without_a_route_is_refused(pair: Desk) -> None:
    """By name."""
    with pytest.raises(NothingToAsk, match="USD"):
        await pair.cashier.authorize(new_id(), CUSTOMER, Money("USD", 1), "tok_visa")


def test_a_route_to_a_gateway_without_credentials_is_refused_at_start() -> None:
    """Not when the first customer pays."""
    with pytest.raises(RouteError, match="stripe"):
        Gateways({}, {"*": ["stripe"]})


async def test_a_late_request_between_two_resolvers_holds_nothing(
    desk: Desk, gateway: Gateway, store: PaymentStore
) -> None:
    """One finds nothing and begins to end the payment; then the request arrives; then the other finds it approved.

    The approval comes too late for everybody, whoever commits first.
    """
    order_id = new_id()
    gateway.cut = True
    pending = await desk.cashier.authorize(order_id, CUSTOMER, PRICE, "tok_visa")
    gateway.cut = False
    assert await gateway.find(pending.id, PRICE, None) is None
    await store.begin_ending(pending.id, State.FAILED)
    approved = await gateway.authorize(pending.id, PRICE, "tok_visa")
    assert isinstance(approved, Approved)
    settled = await desk.cashier.settle(pending, approved)
    assert settled.state is State.FAILED
    assert (await store.get(pending.id)).authorized == Money("EUR", 0)


async def test_resolvers_and_a_late_request_at_once_agree(desk: Desk, gateway: Gateway, store: PaymentStore) -> None:
    """In whatever order they come, what is AUTHORIZED is held and what is FAILED is not: the books compare them."""
    gateway.cut = True
    pending = [await desk.cashier.authorize(new_id(), CUSTOMER, PRICE, "tok_visa") for _ in range(12)]
    gateway.cut = False

    async def late(payment_id: str) -> None:
        await gateway.authorize(payment_id, PRICE, "tok_visa")

    work = [
        each
        for payment in pending
        for each in (desk.cashier.resolve(payment), late(payment.id), desk.cashier.resolve(payment))
    ]
    await asyncio.gather(*work)
    states = [(await store.get(payment.id)).state for payment in pending]
    assert set(states) <= {State.AUTHORIZED, State.FAILED}
