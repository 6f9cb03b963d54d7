"""The inventory store against a model of it that fits on a page, over sequences that Hypothesis makes up."""

import asyncio
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any, ClassVar, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from mesh import errors
from services.common.database import Database
from services.common.ids import new_id
from services.inventory.domain.reservation import Reservation, State
from services.inventory.settings import InventorySettings
from services.inventory.store import InventoryStore
from tests.integration.postgres import Postgres
from tests.integration.services.inventory.books import audit

SKUS = st.sampled_from("AB")
UNITS = st.integers(1, 5)
ORDERS = st.integers(0, 4)
PLACES = st.sampled_from(["near", "far"])
Answer = TypeVar("Answer")


class Model:
    """What the numbers should be: units on hand in all, and per order what is held and how it ended."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.on_hand = {"A": 0, "B": 0}
        self.held: dict[int, dict[str, int]] = {}
        self.state: dict[int, State] = {}
        self.booked: dict[str, tuple[str, int, str]] = {}

    def available(self, sku: str) -> int:
        """Count what can be sold."""
        return self.on_hand[sku] - self.reserved(sku)

    def reserved(self, sku: str) -> int:
        """Count what is held."""
        return sum(held.get(sku, 0) for order, held in self.held.items() if self.state[order] is State.HELD)


class Stock(RuleBasedStateMachine):
    """Does the same to the store and to the model, and compares."""

    server: ClassVar[Postgres]

    def __init__(self) -> None:
        """Begin with an empty database and two warehouses."""
        super().__init__()
        self.runner = asyncio.Runner()
        self.server.empty("inventory")
        self.opened = Database.open(self.server.settings(InventorySettings, "inventory"))
        self.store = InventoryStore(self.run(self.opened.__aenter__()), timedelta(days=1))
        for priority, code in enumerate(("near", "far")):
            self.run(self.store.add_warehouse(code, code, priority))
        self.model = Model()
        self.orders = [new_id() for _ in range(5)]

    def run(self, work: Coroutine[Any, Any, Answer]) -> Answer:
        """Wait for the store."""
        return self.runner.run(work)

    def outcome(self, work: Coroutine[Any, Any, Reservation]) -> State | str:
        """Wait for the state of a reservation, or for the reason why there is none."""
        try:
            return self.run(work).state
        except errors.Error as refusal:
            return refusal.reason

    @rule(sku=SKUS, quantity=UNITS, place=PLACES)
    def receive(self, sku: str, quantity: int, place: str) -> None:
        """Units arrive."""
        self.run(self.store.receive(sku, quantity, place, None))
        self.model.on_hand[sku] += quantity

    @rule(sku=SKUS, quantity=UNITS, place=PLACES, request_id=st.sampled_from(["r1", "r2"]))
    def receive_with_request_id(self, sku: str, quantity: int, place: str, request_id: str) -> None:
        """Units arrive that may have been booked before."""
        booked = self.model.booked.get(request_id)
        try:
            self.run(self.store.receive(sku, quantity, place, request_id))
        except errors.AlreadyExists:
            assert booked not in {None, (sku, quantity, place)}
            return
        assert booked in {None, (sku, quantity, place)}
        if booked is None:
            self.model.booked[request_id] = (sku, quantity, place)
            self.model.on_hand[sku] += quantity

    @rule(order=ORDERS, wanted=st.dictionaries(SKUS, UNITS, min_size=1))
    def reserve(self, order: int, wanted: dict[str, int]) -> None:
        """An order wants units."""
        found = self.outcome(self.store.reserve(self.orders[order], wanted))
        if order not in self.model.state:
            if any(self.model.available(sku) < quantity for sku, quantity in wanted.items()):
                assert found == "OUT_OF_STOCK"
                self.model.state[order], self.model.held[order] = State.RELEASED, {}
                return
            self.model.state[order], self.model.held[order] = State.HELD, wanted
        if self.model.state[order] is State.RELEASED:
            assert found in {"OUT_OF_STOCK", "RESERVATION_RELEASED"}
        else:
            assert found == self.model.state[order]

    @rule(order=ORDERS)
    def release(self, order: int) -> None:
        """An order gives its units back."""
        found = self.outcome(self.store.release(self.orders[order]))
        if self.model.state.get(order) is State.COMMITTED:
            assert found == "RESERVATION_COMMITTED"
            return
        assert found == State.RELEASED
        self.model.state[order] = State.RELEASED
        self.model.held.setdefault(order, {})

    @rule(order=ORDERS)
    def commit(self, order: int) -> None:
        """An order's units leave."""
        found = self.outcome(self.store.commit(self.orders[order]))
        state = self.model.state.get(order)
        if state is None:
            assert found == "RESERVATION_NOT_FOUND"
        elif state is State.RELEASED:
            assert found == "RESERVATION_RELEASED"
        else:
            assert found == State.COMMITTED
            if state is State.HELD:
                for sku, quantity in self.model.held[order].items():
                    self.model.on_hand[sku] -= quantity
            self.model.state[order] = State.COMMITTED

    @invariant()
    def numbers_are_the_models(self) -> None:
        """On hand and reserved, in all warehouses together."""
        levels = self.run(self.store.levels(["A", "B"]))
        for sku in "AB":
            mine = [level for level in levels if level.sku == sku]
            assert sum(level.on_hand for level in mine) == self.model.on_hand[sku]
            assert sum(level.reserved for level in mine) == self.model.reserved(sku)

    def teardown(self) -> None:
        """Check the books and close everything."""
        self.run(self.opened.__aexit__(None, None, None))
        self.runner.close()
        audit(self.server)


def test_any_sequence_leaves_what_the_model_says(postgres: Postgres) -> None:
    """Every answer and every number agree."""
    postgres.migrate("inventory")

    class StockHere(Stock):
        server = postgres

    run_state_machine_as_test(
        StockHere,
        settings=settings(
            max_examples=20,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
            database=None,
        ),
    )
