"""What becomes of reservations past their time."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import prometheus_client
import pytest

from mesh import context, errors
from services.inventory.domain.errors import ReservationSettled
from services.inventory.domain.reservation import Reservation, State
from services.inventory.expiry import Expiry, Fate

TTL = timedelta(hours=1)
NOW = datetime(2030, 1, 1, tzinfo=UTC)
DONE = Reservation("r", "o", State.RELEASED, (), NOW, NOW)


class Orders:
    """Knows the fates the test says, or can't be asked."""

    def __init__(self, fates: Mapping[str, Fate]) -> None:
        """`error` is raised instead, when there is one."""
        self.known = fates
        self.error: errors.Error | None = None

    async def fates(self, order_ids: Sequence[str]) -> Mapping[str, Fate]:
        """Tell."""
        if self.error:
            raise self.error
        return {order_id: self.known[order_id] for order_id in order_ids}


class Store:
    """Notes what is done, in whose name."""

    def __init__(self, overdue: Sequence[str]) -> None:
        """`refusals`: what the release of an order raises."""
        self.overdue = list(overdue)
        self.done: list[tuple[str, object]] = []
        self.refusals: dict[str, errors.Error] = {}

    async def claim_overdue(self, limit: int, lease: timedelta) -> list[str]:
        """Give what is overdue."""
        assert lease == timedelta(minutes=1)
        return self.overdue[:limit]

    async def release(self, order_id: str) -> Reservation:
        """Note it."""
        assert context.current().caller.actor == "service:inventory"
        if order_id in self.refusals:
            raise self.refusals[order_id]
        self.done.append((order_id, "released"))
        return DONE

    async def extend(self, order_id: str, ttl: timedelta | None) -> Reservation:
        """Note it."""
        self.done.append((order_id, ttl))
        return DONE


def worker(store: Store, orders: Orders) -> Expiry:
    """Make one that looks every second."""
    return Expiry(store, orders, TTL, interval=timedelta(seconds=1), lease=timedelta(minutes=1))


def counted(outcome: str) -> float:
    """Read the metric."""
    name = "ordermesh_inventory_expired_reservations_total"
    return prometheus_client.REGISTRY.get_sample_value(name, {"outcome": outcome}) or 0.0


async def test_each_order_s_fate_is_its_stock_s() -> None:
    """Over: given back. Open: for longer. Goes on: for good."""
    store = Store(["a", "b", "c"])
    before = counted("released"), counted("extended"), counted("firm")
    settled = await worker(store, Orders({"a": Fate.OVER, "b": Fate.OPEN, "c": Fate.GOES_ON})).once()
    assert (settled, store.done) == (3, [("a", "released"), ("b", TTL), ("c", None)])
    after = counted("released"), counted("extended"), counted("firm")
    assert [now - then for now, then in zip(after, before, strict=True)] == [1, 1, 1]


async def test_nothing_is_let_go_while_order_can_t_be_asked() -> None:
    """An order that can't be seen may well have been paid."""
    store, orders = Store(["a", "b"]), Orders({})
    orders.error, before = errors.Unavailable("away"), counted("failed")
    assert await worker(store, orders).once() == 0
    assert store.done == []
    assert counted("failed") - before == 2


@pytest.mark.parametrize(
    ("refusal", "settled"), [(ReservationSettled("a", State.COMMITTED), 2), (errors.Unavailable("away"), 1)]
)
async def test_one_that_fails_does_not_keep_the_others(refusal: errors.Error, settled: int) -> None:
    """It was settled by somebody else, or comes again after the lease."""
    store = Store(["a", "b"])
    store.refusals["a"] = refusal
    assert await worker(store, Orders({"a": Fate.OVER, "b": Fate.OVER})).once() == settled
    assert store.done == [("b", "released")]
