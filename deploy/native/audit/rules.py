"""What must be true between an order, its stock and its money: pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

# Placed and being arranged, or being taken back: nothing is promised yet.
UNSETTLED = frozenset({"PENDING", "CANCELLING"})
ENDED = frozenset({"REJECTED", "CANCELLED"})
LIVE = frozenset({"AUTHORIZED", "CAPTURED"})

Units = tuple[int, int]
"""Of a SKU: how many are still to leave, and how many have left."""

NONE: Units = (0, 0)


@dataclass(frozen=True, slots=True, order=True)
class Difference:
    """Something that is not as it must be: about what, by id, and in which way."""

    kind: str
    id: str
    what: str

    def __str__(self) -> str:
        return f"{self.kind} {self.id}: {self.what}"


@dataclass(frozen=True, slots=True)
class Payment:
    """What payment keeps of an order."""

    id: str
    state: str
    currency: str
    authorized: int
    captured: int
    refunded: int


@dataclass(frozen=True, slots=True)
class Fulfilment:
    """How far the order service thinks that stock and money of an order have moved. `wanted`: by SKU.

    `under_way`: something is being done with the order at this moment, so that the others may be a step ahead.
    """

    wanted: Mapping[str, Units] = field(default_factory=dict)
    captured: int = 0
    refunded: int = 0
    under_way: bool = False


@dataclass(frozen=True, slots=True)
class Books:
    """What all services keep of one order; None for what one has nothing of. `state` is the order's."""

    order_id: str
    state: str | None = None
    currency: str = ""
    payment_id: str | None = None
    reservation_id: str | None = None
    held: tuple[str, str] | None = None
    """The reservation's id and state."""
    payments: tuple[Payment, ...] = ()
    fulfilment: Fulfilment = Fulfilment()
    stock: Mapping[str, Units] = field(default_factory=dict)
    """What the reservation still holds or waits for, and what left of it, by SKU."""


def differences(orders: Iterable[Books]) -> Iterator[Difference]:
    """Say what is wrong."""
    for each in orders:
        for what in _wrong(each):
            yield Difference("order", each.order_id, what)


def _wrong(books: Books) -> Iterator[str]:
    for payment in books.payments:
        yield from _overdrawn(payment)
    if books.state in UNSETTLED:
        return
    if books.state is None or books.state in ENDED:
        yield from _kept(books)
    else:
        yield from _missing(books)
        if not books.fulfilment.under_way:
            yield from _apart(books)


def _overdrawn(payment: Payment) -> Iterator[str]:
    if payment.captured > payment.authorized:
        yield f"payment {payment.id} captured {payment.captured} of {payment.authorized} authorized"
    if payment.refunded > payment.captured:
        yield f"payment {payment.id} refunded {payment.refunded} of {payment.captured} captured"


def _kept(books: Books) -> Iterator[str]:
    """An order that ended, or that never was, keeps neither stock nor money."""
    order = f"the order is {books.state}" if books.state else "there is no such order"
    if books.held and books.held[1] == "HELD":
        yield f"reservation {books.held[0]} is held, and {order}"
    for payment in books.payments:
        if (payment.state in LIVE and payment.captured - payment.refunded != 0) or payment.state == "AUTHORIZED":
            yield f"payment {payment.id} is {payment.state}, and {order}"


def _missing(books: Books) -> Iterator[str]:
    """A confirmed order has its stock, and exactly one live authorization."""
    if books.held is None:
        yield f"it is {books.state} without a reservation"
    elif books.held[0] != books.reservation_id:
        yield f"it names reservation {books.reservation_id}, and {books.held[0]} is held for it"
    elif books.state == "CONFIRMED" and books.held[1] != "HELD":
        yield f"it is CONFIRMED and its reservation {books.held[1]}"
    live = [payment for payment in books.payments if payment.state in LIVE]
    if len(live) != 1:
        yield f"it is {books.state} with {len(live)} live authorizations"
    elif live[0].id != books.payment_id:
        yield f"it names payment {books.payment_id}, and {live[0].id} is live"
    elif live[0].currency != books.currency:
        yield f"it is in {books.currency} and its payment in {live[0].currency}"


def _apart(books: Books) -> Iterator[str]:
    """What an order has shipped has left and was paid for, and what it has still to ship is held."""
    said = books.fulfilment
    for sku in sorted(said.wanted.keys() | books.stock.keys()):
        (left, shipped), (held, gone) = said.wanted.get(sku, NONE), books.stock.get(sku, NONE)
        if left != held:
            yield f"{left} of {sku} are still to ship, and {held} are held"
        if shipped != gone:
            yield f"{shipped} of {sku} were shipped, and {gone} have left"
    captured, refunded = (sum(getattr(each, name) for each in books.payments) for name in ("captured", "refunded"))
    if said.captured != captured:
        yield f"it was paid {said.captured} by its shipments, and {captured} were captured"
    # More may have been given back at the gateway, by hand.
    if said.refunded > refunded:
        yield f"it gave {said.refunded} back, and {refunded} were refunded"
