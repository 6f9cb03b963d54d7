"""What must be true between an order, its stock and its money: pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

# Placed and being arranged, or being taken back: nothing is promised yet.
UNSETTLED = frozenset({"PENDING", "CANCELLING"})
ENDED = frozenset({"REJECTED", "CANCELLED"})
LIVE = frozenset({"AUTHORIZED", "CAPTURED"})
HOLDING = frozenset({"HELD", "COMMITTED"})


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
    elif books.state == "CONFIRMED" and books.held[1] not in HOLDING:
        yield f"it is CONFIRMED and its reservation {books.held[1]}"
    live = [payment for payment in books.payments if payment.state in LIVE]
    if len(live) != 1:
        yield f"it is {books.state} with {len(live)} live authorizations"
    elif live[0].id != books.payment_id:
        yield f"it names payment {books.payment_id}, and {live[0].id} is live"
    elif live[0].currency != books.currency:
        yield f"it is in {books.currency} and its payment in {live[0].currency}"
