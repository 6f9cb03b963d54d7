"""Orders in a real database, asked anything in any order: hypothesis looks for a sequence that breaks them.

Inventory and payment answer, refuse and lose replies as the machine says; what they keep must agree with the orders.
"""

import asyncio
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from mesh import errors
from services.common.database import Database
from services.common.ids import new_id
from services.common.money import Money
from services.order.changes import Changes, Decide, Key, Terms
from services.order.domain import fulfilment, placing, refunds, returns
from services.order.domain.order import Order
from services.order.domain.parts import ReturnState, ShipmentState, Units
from services.order.drives import Drives
from services.order.ports import RefusedError
from services.order.rebuild import Rebuilding
from services.order.recovery import Recovery
from services.order.saga import Saga
from services.order.settings import OrderSettings
from services.order.store import OrderStore
from tests.integration.postgres import Postgres
from tests.integration.services.order.examples import placed, request
from tests.unit.services.order.fakes import FakeInventory, FakePayment

LEASE = timedelta(milliseconds=1)
REFUSED = RefusedError("GATEWAY_REFUSED", "no")
REFUSALS = (errors.FailedPrecondition, errors.NotFound, errors.InvalidArgument, errors.Aborted)
few = st.integers(0, 2)


def now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


def loop_of(runner: asyncio.Runner) -> asyncio.Runner:
    """Have the runner make its loop before hypothesis asks for it."""
    runner.get_loop()
    return runner


class Orders(RuleBasedStateMachine):
    """Whatever is asked of a few orders, one process after another; `postgres` is set by the test."""

    postgres: Postgres

    def __init__(self) -> None:
        """Begin with three confirmed orders in an empty database."""
        super().__init__()
        self.runner = loop_of(asyncio.Runner())
        self.postgres.empty("order")
        self.inventory, self.payment = FakeInventory(), FakePayment()
        self.opened = Database.open(self.postgres.settings(OrderSettings, "order"))
        self.store = OrderStore(self.run(self.opened.__aenter__()), LEASE)
        saga = Saga(self.store, self.inventory, self.payment, now, timedelta(minutes=10))
        self.drives = Drives(saga, self.store)
        self.recovery = Recovery(saga, self.store, timedelta(seconds=1), timedelta(seconds=20))
        self.changes = Changes(self.store, self.drives, now, new_id)
        self.ids = [self.run(self.place()).id for _ in range(3)]

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:  # noqa: ANN401 - the work's own result
        """Do something asynchronous."""
        return self.runner.run(work)

    def teardown(self) -> None:
        """Close the database."""
        self.run(self.opened.__aexit__(None, None, None))
        self.runner.close()

    async def place(self) -> Order:
        """Place an order of 1 B and 3 A and have it confirmed."""
        one = placed()
        await self.store.add(one, request())
        return await self.drives.drive(one, 5)

    def ask(self, which: int, decide: Decide, key: Key | None = None) -> None:
        """Have an order changed; a refusal changes nothing."""
        before = self.order(which)
        try:
            self.run(self.changes.make(before, decide, Terms(0.05, key=key)))
        except REFUSALS:
            after = self.order(which)
            assert after == before or before.under_way is not None

    def order(self, which: int) -> Order:
        """Read one of the orders."""
        found: Order = self.run(self.store.get(self.ids[which]))
        return found

    @rule(which=few, a=st.integers(0, 3), b=st.integers(0, 1), key=st.sampled_from([None, "k1", "k2"]))
    def ship(self, which: int, a: int, b: int, key: str | None) -> None:
        """Ship units, or all that is left; perhaps not for the first time."""
        units = tuple(Units(sku, quantity) for sku, quantity in (("A", a), ("B", b)) if quantity)
        parcel = fulfilment.Parcel(units, "", "")
        asked = None if key is None else Key(key, repr(units).encode())
        try:
            self.ask(which, lambda order, part, at: fulfilment.request_shipment(order, part, parcel, at), asked)
        except errors.AlreadyExists:
            assert key is not None

    @rule(which=few, quantity=st.integers(1, 3))
    def cancel_lines(self, which: int, quantity: int) -> None:
        """Cancel units of A."""
        units = [Units("A", quantity)]
        self.ask(which, lambda order, part, at: fulfilment.request_line_cancellation(order, part, units, "", at))

    @rule(which=few)
    def cancel(self, which: int) -> None:
        """Cancel the order."""
        self.ask(which, lambda order, _, at: placing.request_cancellation(order, "", at))

    @rule(which=few)
    def deliver(self, which: int) -> None:
        """Have what is on its way arrive."""
        for shipment in self.order(which).shipments:
            self.ask(which, lambda order, _, at, of=shipment.id: fulfilment.deliver(order, of, at))  # type: ignore[misc]

    @rule(which=few, quantity=st.integers(1, 3))
    def ask_to_return(self, which: int, quantity: int) -> None:
        """Ask to send units of A of the last shipment back."""
        units = [Units("A", quantity)]
        if shipments := self.order(which).shipments:
            of = shipments[-1].id
            self.ask(which, lambda order, part, at: returns.request_return(order, part, of, units, "", at))

    @rule(which=few, came=st.integers(1, 3), restocked=st.integers(0, 1))
    def take_back(self, which: int, came: int, restocked: int) -> None:
        """Approve what was asked for last, and receive it."""
        found = [returns.Inspection("A", came, restocked)]
        if asked := self.order(which).returns:
            of = asked[-1].id
            self.ask(which, lambda order, _, at: returns.approve(order, of, "", at))
            self.ask(which, lambda order, part, at: returns.receive(order, of, found, "", part, at))

    @rule(which=few, cents=st.none() | st.integers(1, 1500))
    def refund(self, which: int, cents: int | None) -> None:
        """Give money back."""
        amount = None if cents is None else Money("EUR", cents)
        self.ask(which, lambda order, part, at: refunds.request_refund(order, part, amount, "", at))

    @rule(refused=st.booleans(), lost=st.integers(0, 1), away=st.integers(0, 1))
    def trouble(self, refused: bool, lost: int, away: int) -> None:  # noqa: FBT001 - drawn by hypothesis
        """Have the others refuse, lose a reply or be away from now on."""
        self.payment.refusal = REFUSED if refused else None
        self.payment.lost_replies, self.inventory.away = lost, away

    @rule()
    def recover(self) -> None:
        """Let the trouble end and the recovery worker find what was left."""
        self.trouble(refused=False, lost=0, away=0)
        self.run(self._recovered())

    async def _recovered(self) -> None:
        while await self.store.stuck(timedelta(0), 10):
            await self.recovery.once()

    @invariant()
    def rows_are_what_events_say(self) -> None:
        """For every order, after every step."""
        _, wrong = self.run(Rebuilding(self.store).check_all())
        assert wrong == {}

    @invariant()
    def money_and_stock_are_where_the_orders_say(self) -> None:
        """What was captured, refunded, committed and released, once for each part that is done."""
        for which in range(len(self.ids)):
            self._agrees(self.order(which))

    def _agrees(self, order: Order) -> None:
        for shipment in order.shipments:
            if shipment.state in {ShipmentState.SHIPPED, ShipmentState.DELIVERED}:
                assert self.payment.moves[shipment.id] == ("capture", shipment.amount, shipment.final)
                assert self.inventory.moves[shipment.id][0] == "commit"
            if shipment.state is ShipmentState.FAILED:
                assert shipment.id not in self.payment.moves
                assert self.inventory.moves.get(shipment.id, ("revert", []))[0] == "revert"
        for back in order.returns:
            restocked = any(line.restocked for line in back.lines)
            assert (back.id in self.inventory.moves) or not (restocked and back.state is ReturnState.COMPLETED)
        if order.left == 0 and order.settled:
            cancelled = order.sum(each.amount for each in order.line_cancellations)
            assert order.captured + cancelled == order.total


@pytest.mark.timeout(900)
def test_whatever_is_asked_rows_events_stock_and_money_agree(postgres: Postgres) -> None:
    """Hypothesis tries sequences of requests, troubles and recoveries."""
    postgres.migrate("order")
    Orders.postgres = postgres
    quick = settings(
        max_examples=12,
        stateful_step_count=15,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    )
    run_state_machine_as_test(Orders, settings=quick)
