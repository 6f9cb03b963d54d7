"""The inventory store against a model of it that fits on a page, over sequences that Hypothesis makes up."""

import asyncio
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, ClassVar, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from mesh import errors
from services.common.database import Database
from services.common.ids import new_id
from services.inventory.domain.reservation import Reservation
from services.inventory.domain.stock import Policy
from services.inventory.settings import InventorySettings
from services.inventory.store import AskedLine, InventoryStore, Remark
from tests.integration.postgres import Postgres
from tests.integration.services.inventory.books import asked, audit

SKUS = st.sampled_from("AB")
UNITS = st.integers(1, 5)
ORDERS = st.integers(0, 4)
PLACES = st.sampled_from(["near", "far"])
NOTES = Remark(note="of a test")
Answer = TypeVar("Answer")


@dataclass
class Order:
    """Units of an order by SKU: what it asked for, and what became of them, wherever they were."""

    wanted: dict[str, int]
    gone: dict[str, int] = field(default_factory=lambda: {"A": 0, "B": 0})
    back: dict[str, int] = field(default_factory=lambda: {"A": 0, "B": 0})
    released: dict[str, int] = field(default_factory=lambda: {"A": 0, "B": 0})
    parcels: list[tuple[str, str, int]] = field(default_factory=list)
    """What left under a request id of its own, and may be undone."""

    def open(self, sku: str) -> int:
        """Count what it holds or waits for."""
        return self.wanted.get(sku, 0) - self.gone[sku] - self.released[sku]

    @property
    def is_open(self) -> bool:
        """Whether anything is held."""
        return any(self.open(sku) for sku in self.wanted)

    @property
    def has_left(self) -> bool:
        """Whether every unit has left."""
        return bool(self.wanted) and all(self.gone[sku] == units for sku, units in self.wanted.items())


class Model:
    """What the numbers should be, in all warehouses together: units on hand, and per order what became of its units."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.on_hand = {"A": 0, "B": 0}
        self.orders: dict[int, Order] = {}
        self.booked: dict[str, tuple[object, ...]] = {}

    def promised(self, sku: str) -> int:
        """Count what is held or waited for."""
        return sum(order.open(sku) for order in self.orders.values())


class Stock(RuleBasedStateMachine):
    """Does the same to the store and to the model, and compares. What depends on places is asked of the store."""

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
        self.ids = [new_id() for _ in range(5)]
        self.turns = 0

    def run(self, work: Coroutine[Any, Any, Answer]) -> Answer:
        """Wait for the store."""
        return self.runner.run(work)

    def outcome(self, work: Coroutine[Any, Any, object]) -> str:
        """Wait for the store; "" when all is well, else the reason why not."""
        try:
            self.run(work)
        except errors.Error as refusal:
            return refusal.reason
        return ""

    def now(self, order: int) -> Reservation | None:
        """Read a reservation."""
        return self.run(self.store.reservation(self.ids[order]))

    def new_request(self, *what: object) -> Any:  # noqa: ANN401 - the store's own type
        """Make a request that was not made before."""
        self.turns += 1
        return asked(f"t{self.turns}", *what)

    @rule(sku=SKUS, quantity=UNITS, place=PLACES, request_id=st.sampled_from([None, None, "r1", "r2"]))
    def receive(self, sku: str, quantity: int, place: str, request_id: str | None) -> None:
        """Units arrive that may have been booked before."""
        what = (sku, quantity, place)
        request = asked(request_id, *what) if request_id else None
        reason = self.outcome(self.store.receive(*what, request))
        booked = self.model.booked.get(request_id or "")
        assert reason == ("" if booked in {None, what} else "IDEMPOTENCY_KEY_REUSED")
        if booked is None:
            self.model.on_hand[sku] += quantity
            self.model.booked |= {request_id: what} if request_id else {}

    @rule(sku=SKUS, quantity=st.sampled_from([-6, -2, -1, 1, 2]), place=PLACES)
    def adjust(self, sku: str, quantity: int, place: str) -> None:
        """Units turn up or break, held ones too."""
        there = [level.on_hand for level in self.levels(sku) if level.warehouse_code == place]
        reason = self.outcome(self.store.adjust(sku, quantity, place, Remark("DAMAGED")))
        if quantity < 0 and not there:
            assert reason == "STOCK_NOT_FOUND"
        elif quantity < 0 and there[0] < -quantity:
            assert reason == "NOT_ON_HAND"
        else:
            assert reason == ""
            self.model.on_hand[sku] += quantity

    @rule(sku=SKUS, on_hand=st.integers(0, 8), place=PLACES)
    def count(self, sku: str, on_hand: int, place: str) -> None:
        """Somebody counts, and may find less than is held."""
        elsewhere = sum(level.on_hand for level in self.levels(sku) if level.warehouse_code != place)
        self.run(self.store.count(sku, on_hand, place, NOTES))
        self.model.on_hand[sku] = elsewhere + on_hand

    @rule(sku=SKUS, quantity=UNITS, places=st.sampled_from([("near", "far"), ("far", "near")]))
    def transfer(self, sku: str, quantity: int, places: tuple[str, str]) -> None:
        """Units move that nobody holds."""
        free = sum(level.on_hand - level.reserved for level in self.levels(sku) if level.warehouse_code == places[0])
        reason = self.outcome(self.store.transfer(sku, quantity, places, NOTES))
        assert reason == ("" if free >= quantity else "NOT_ON_HAND")

    @rule(
        sku=SKUS,
        place=st.sampled_from(["", "near", "far"]),
        policy=st.builds(Policy, st.integers(0, 2), st.sampled_from([0, 0, 4]), st.sampled_from([None, 0, 3])),
    )
    def set_policy(self, sku: str, place: str, policy: Policy) -> None:
        """Somebody wants more kept back, promised, or told."""
        self.run(self.store.set_policy(sku, place, policy))
        policies = {level.warehouse_code: level.policy for level in self.levels(sku)}
        assert all(found == policy for code, found in policies.items() if place in {"", code})

    @rule(order=ORDERS, wanted=st.dictionaries(SKUS, UNITS, min_size=1))
    def reserve(self, order: int, wanted: dict[str, int]) -> None:
        """An order wants units."""
        room = {sku: sum(max(level.available, 0) + level.backorderable for level in self.levels(sku)) for sku in wanted}
        reason = self.outcome(self.store.reserve(self.ids[order], wanted))
        known = self.model.orders.get(order)
        if known is None:
            short = any(room[sku] < units for sku, units in wanted.items())
            assert reason == ("OUT_OF_STOCK" if short else "")
            self.model.orders[order] = Order({} if short else wanted)
        elif known.is_open or any(known.gone.values()):
            assert reason == ""
        else:
            assert reason in {"OUT_OF_STOCK", "RESERVATION_RELEASED"}

    @rule(order=ORDERS)
    def release(self, order: int) -> None:
        """An order gives all it has back."""
        reason = self.outcome(self.store.release(self.ids[order]))
        known = self.model.orders.setdefault(order, Order({}))
        assert reason == ("RESERVATION_COMMITTED" if known.has_left else "")
        for sku in known.wanted:
            known.released[sku] += known.open(sku)

    @rule(order=ORDERS, sku=SKUS, quantity=UNITS, place=st.sampled_from(["", "near", "far"]))
    def release_some(self, order: int, sku: str, quantity: int, place: str) -> None:
        """An order gives some back."""
        lines = [AskedLine(sku, quantity, place)]
        here = self.parts(order, sku, place)
        reason = self.outcome(self.store.release(self.ids[order], lines, self.new_request("release", lines)))
        if order not in self.model.orders:
            assert reason == "RESERVATION_NOT_FOUND"
        elif sum(part.held + part.backordered for part in here) < quantity:
            assert reason == "NOT_HELD"
        else:
            assert reason == ""
            self.model.orders[order].released[sku] += quantity

    @rule(order=ORDERS)
    def commit(self, order: int) -> None:
        """All of an order leaves, if all of it is there."""
        before = self.now(order)
        reason = self.outcome(self.store.commit(self.ids[order]))
        known = self.model.orders.get(order)
        if known is None or before is None:
            assert reason == "RESERVATION_NOT_FOUND"
        elif not known.is_open and not any(known.gone.values()):
            assert reason == "RESERVATION_RELEASED"
        elif any(part.backordered for part in before.allocations):
            assert reason == "STOCK_BACKORDERED"
        else:
            assert reason == ""
            self.leave(known, {sku: known.open(sku) for sku in known.wanted})

    @rule(order=ORDERS, sku=SKUS, quantity=UNITS, place=st.sampled_from(["", "near", "far"]))
    def commit_some(self, order: int, sku: str, quantity: int, place: str) -> None:
        """A parcel of an order leaves, and is told twice."""
        lines = [AskedLine(sku, quantity, place)]
        here = self.parts(order, sku, place)
        known = self.model.orders.get(order)
        request = self.new_request("commit", lines)
        reason = self.outcome(self.store.commit(self.ids[order], lines, request))
        if known is None:
            assert reason == "RESERVATION_NOT_FOUND"
        elif not known.is_open and not any(known.gone.values()):
            assert reason == "RESERVATION_RELEASED"
        elif sum(part.held for part in here) >= quantity:
            assert reason == ""
            self.leave(known, {sku: quantity})
            known.parcels.append((request.id, sku, quantity))
            assert self.outcome(self.store.commit(self.ids[order], lines, request)) == ""
        else:
            late = sum(part.held + part.backordered for part in here) >= quantity
            assert reason == ("STOCK_BACKORDERED" if late else "NOT_HELD")

    @rule(order=ORDERS)
    def revert(self, order: int) -> None:
        """The last parcel of an order did not leave after all, and that is told twice."""
        known = self.model.orders.get(order)
        if known is None or not known.parcels:
            return
        request_id, sku, quantity = known.parcels[-1]
        before = self.now(order)
        reason = self.outcome(self.store.revert(self.ids[order], asked(request_id, "undo")))
        if reason == "NOT_COMMITTED":
            assert known.back[sku] > 0
            assert self.now(order) == before
            return
        assert reason == ""
        self.leave(known, {sku: -quantity})
        known.parcels.pop()
        assert self.outcome(self.store.revert(self.ids[order], asked(request_id, "undo"))) == ""

    @rule(order=ORDERS, sku=SKUS, quantity=UNITS, place=st.sampled_from(["", "near", "far"]))
    def take_back(self, order: int, sku: str, quantity: int, place: str) -> None:
        """A parcel comes back."""
        lines = [AskedLine(sku, quantity, place)]
        reason = self.outcome(self.store.take_back(self.ids[order], lines, self.new_request("return", lines)))
        known = self.model.orders.get(order)
        if known is None:
            assert reason == "RESERVATION_NOT_FOUND"
        elif known.gone[sku] - known.back[sku] < quantity:
            assert reason == "NOT_COMMITTED"
        else:
            assert reason == ""
            known.back[sku] += quantity
            self.model.on_hand[sku] += quantity

    @rule(order=ORDERS, ttl=st.sampled_from([None, timedelta(days=2)]))
    def extend(self, order: int, ttl: timedelta | None) -> None:
        """An order takes its time."""
        reason = self.outcome(self.store.extend(self.ids[order], ttl))
        known = self.model.orders.get(order)
        if known is None:
            assert reason == "RESERVATION_NOT_FOUND"
        elif known.is_open:
            assert reason == ""
        else:
            assert reason in {"RESERVATION_RELEASED", "RESERVATION_COMMITTED"}

    @invariant()
    def numbers_are_the_models(self) -> None:
        """On hand and promised, in all warehouses together."""
        for sku in "AB":
            mine = self.levels(sku)
            assert sum(level.on_hand for level in mine) == self.model.on_hand[sku]
            assert sum(level.reserved + level.backordered for level in mine) == self.model.promised(sku)
            assert all(level.available <= 0 for level in mine if level.backordered)

    def levels(self, sku: str) -> Sequence[Any]:
        """Read the levels of a SKU."""
        return self.run(self.store.levels([sku]))

    def parts(self, order: int, sku: str, place: str) -> Sequence[Any]:
        """Read an order's units of a SKU, in a warehouse or anywhere."""
        codes = {level.warehouse_id: level.warehouse_code for level in self.levels(sku)}
        reservation = self.now(order)
        found = reservation.allocations if reservation else ()
        return [part for part in found if part.sku == sku and place in {"", codes[part.warehouse_id]}]

    def leave(self, order: Order, units: dict[str, int]) -> None:
        """Have units leave the model."""
        for sku, quantity in units.items():
            order.gone[sku] += quantity
            self.model.on_hand[sku] -= quantity

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
