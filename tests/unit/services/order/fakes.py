"""Stand-ins for what the order service talks to; each can be told to fail at a chosen call."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from mesh import errors
from services.common.money import Money
from services.order.changes import Asked, Key
from services.order.domain.errors import OrderChanged, OrderNotFound, UnknownSku
from services.order.domain.order import Line, Order, State
from services.order.domain.parts import Units
from services.order.placement import Earlier, Request
from services.order.ports import Authorization, OutOfStock, PaymentUnsettledError, RefusedError

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
CUSTOMER = "01890000-0000-7000-8000-00000000c001"


@dataclass
class Clock:
    """Time that moves when told to."""

    now: datetime = NOW

    def __call__(self) -> datetime:
        """Return the time."""
        return self.now

    def pass_by(self, span: timedelta) -> None:
        """Let time pass."""
        self.now += span


@dataclass
class MemoryStore:
    """The order database as a dictionary, with its optimistic lock and its unique idempotency keys."""

    orders: dict[str, Order] = field(default_factory=dict)
    history: list[Order] = field(default_factory=list)
    keys: dict[tuple[str, str], Earlier] = field(default_factory=dict)
    unleased: list[str] = field(default_factory=list)
    requests: dict[tuple[str, str], Asked] = field(default_factory=dict)

    async def add(self, order: Order, request: Request) -> bool:
        """Keep a new order unless its key was used."""
        if request.idempotency_key is not None:
            key = (request.customer_id, request.idempotency_key)
            if key in self.keys:
                return False
            self.keys[key] = Earlier(order, request.fingerprint)
        self._keep(order)
        return True

    async def earlier(self, customer_id: str, key: str) -> Earlier | None:
        """Find what a key was used for."""
        found = self.keys.get((customer_id, key))
        return Earlier(self.orders[found.order.id], found.fingerprint) if found else None

    async def save(self, order: Order, key: Key | None = None) -> None:
        """Keep the next version of an order."""
        if self.orders[order.id].version != order.version - 1:
            raise OrderChanged(order.id)
        if key is not None and order.change is not None:
            self.requests[order.id, key.key] = Asked(order.change.part_id, key.fingerprint)
        self._keep(order)

    async def asked(self, order_id: str, key: str) -> Asked | None:
        """Find what a key was used for."""
        return self.requests.get((order_id, key))

    async def get(self, order_id: str) -> Order:
        """Find an order."""
        if order_id not in self.orders:
            raise OrderNotFound(order_id)
        return self.orders[order_id]

    async def payment_token(self, order_id: str) -> str:
        """Give the token of every order."""
        return f"tok_of_{order_id}"

    async def give_up_lease(self, order_id: str) -> None:
        """Remember that recovery was asked."""
        self.unleased.append(order_id)

    async def claim_unsettled(self, limit: int, lease: timedelta) -> list[Order]:
        """Give every order that is not settled."""
        del lease
        return [order for order in self.orders.values() if not order.settled][:limit]

    def states(self) -> list[State]:
        """List the states in the order they were committed."""
        return [order.state for order in self.history]

    def _keep(self, order: Order) -> None:
        self.orders[order.id] = order
        self.history.append(order)


@dataclass
class FakeInventory:
    """Holds anything unless told that SKUs are short or that it is away."""

    short: list[str] = field(default_factory=list)
    away: int = 0
    held: set[str] = field(default_factory=set)
    released: set[str] = field(default_factory=set)
    regions: list[str] = field(default_factory=list)
    refusal: RefusedError | None = None
    moves: dict[str, tuple[str, list[Units]]] = field(default_factory=dict)
    """What was released, committed and taken back, by key: so that a repeated call counts once."""

    async def reserve(self, order_id: str, lines: tuple[Line, ...], region_code: str) -> str:
        """Hold stock."""
        self.regions.append(region_code)
        self._maybe_away()
        if short := [line.sku for line in lines if line.sku in self.short]:
            raise OutOfStock(short)
        self.held.add(order_id)
        return f"reservation-of-{order_id}"

    async def release(self, order_id: str) -> None:
        """Give stock back."""
        self._maybe_away()
        self.held.discard(order_id)
        self.released.add(order_id)

    async def release_units(self, order_id: str, units: Sequence[Units], key: str) -> None:
        """Give some stock back."""
        del order_id
        self._maybe_away()
        self.moves[key] = ("release", list(units))

    async def commit(self, order_id: str, units: Sequence[Units], key: str) -> None:
        """Book stock as gone."""
        del order_id
        self._maybe_away()
        if self.refusal:
            raise self.refusal
        self.moves[key] = ("commit", list(units))

    async def revert(self, order_id: str, key: str) -> None:
        """Hold again what was booked as gone."""
        del order_id
        self._maybe_away()
        move, units = self.moves[key]
        assert move in {"commit", "revert"}
        self.moves[key] = ("revert", units)

    async def take_back(self, order_id: str, units: Sequence[Units], key: str) -> None:
        """Book stock in again."""
        del order_id
        self._maybe_away()
        self.moves[key] = ("take back", list(units))

    def _maybe_away(self) -> None:
        if self.away:
            self.away -= 1
            raise errors.Unavailable("inventory is away")


@dataclass
class FakePayment:
    """Authorizes anything unless told otherwise; `lost_replies` authorizes and then says it is away."""

    failure: str | None = None
    unsettled: int = 0
    lost_replies: int = 0
    authorizations: list[str] = field(default_factory=list)
    held: set[str] = field(default_factory=set)
    refusal: RefusedError | None = None
    moves: dict[str, tuple[str, Money, bool]] = field(default_factory=dict)
    """What was captured and refunded, by key; whether a capture was final."""

    given_up: list[str] = field(default_factory=list)

    async def authorize(self, order_id: str, customer_id: str, amount: Money, token: str) -> Authorization:
        """Hold money, once for each order."""
        del customer_id, amount, token
        if self.unsettled:
            self.unsettled -= 1
            raise PaymentUnsettledError
        if self.failure is None and order_id not in self.held:
            self.held.add(order_id)
            self.authorizations.append(order_id)
        self._maybe_lost()
        return Authorization(f"payment-of-{order_id}", self.failure)

    async def cancel(self, order_id: str) -> None:
        """Give money back."""
        self.held.discard(order_id)

    async def capture(self, payment_id: str, amount: Money, key: str, *, final: bool) -> None:
        """Take money."""
        del payment_id
        if self.refusal:
            raise self.refusal
        self.moves[key] = ("capture", amount, final)
        self._maybe_lost()

    async def give_up_rest(self, payment_id: str) -> None:
        """Let the rest go."""
        self.given_up.append(payment_id)

    async def refund(self, payment_id: str, amount: Money, key: str) -> None:
        """Give money back that was taken."""
        del payment_id
        if self.refusal:
            raise self.refusal
        self.moves[key] = ("refund", amount, False)
        self._maybe_lost()

    def _maybe_lost(self) -> None:
        if self.lost_replies:
            self.lost_replies -= 1
            raise errors.Unavailable("connection lost")


@dataclass
class FakeCatalogue:
    """Sells everything at ten a piece, unless told that nothing is sold any more."""

    empty: bool = False

    async def lines(self, wanted: Sequence[tuple[str, int]], currency_code: str) -> tuple[Line, ...]:
        """Price the lines."""
        if self.empty:
            raise UnknownSku(list(range(len(wanted))), currency_code)
        return tuple(Line(sku, quantity, "p", sku, Money(currency_code, 1000)) for sku, quantity in wanted)
