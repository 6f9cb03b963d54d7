"""What the audit calls wrong, and that it looks twice."""

from dataclasses import replace

import pytest

from deploy.native.audit import LOOKS, lasting
from deploy.native.audit.rules import Books, Difference, Fulfilment, Payment, differences

PAYMENT = Payment("p1", "AUTHORIZED", "EUR", authorized=10, captured=0, refunded=0)
PAID = replace(PAYMENT, state="CAPTURED", captured=10)
GOOD = Books(
    "o1",
    "CONFIRMED",
    "EUR",
    "p1",
    "r1",
    held=("r1", "HELD"),
    payments=(PAYMENT,),
    fulfilment=Fulfilment({"A": (2, 0)}),
    stock={"A": (2, 0)},
)
SENT = replace(
    GOOD,
    state="SHIPPED",
    held=("r1", "COMMITTED"),
    payments=(PAID,),
    fulfilment=Fulfilment({"A": (0, 2)}, captured=10),
    stock={"A": (0, 2)},
)
VOIDED = replace(PAYMENT, state="VOIDED")


def paying(captured: int, refunded: int = 0) -> Books:
    """Let the order have been paid so much, by all accounts."""
    payment = replace(PAID, captured=captured, refunded=refunded)
    return replace(SENT, payments=(payment,), fulfilment=replace(SENT.fulfilment, captured=captured))


@pytest.mark.parametrize(
    "books",
    [
        GOOD,
        SENT,
        # Refunded at the gateway, by hand.
        replace(SENT, payments=(replace(PAID, refunded=3),)),
        # One step ahead of the order.
        replace(SENT, state="CONFIRMED", held=("r1", "HELD"), fulfilment=Fulfilment({"A": (2, 0)}, under_way=True)),
        replace(GOOD, state="CANCELLED", held=("r1", "RELEASED"), payments=(VOIDED,)),
        replace(GOOD, state="REJECTED", held=None, payments=()),
        Books("o1", None, held=("r1", "RELEASED")),
        # Nothing is promised yet.
        Books("o1", "PENDING", "EUR", held=("r1", "HELD")),
        replace(GOOD, state="CANCELLING"),
    ],
)
def test_books_that_agree(books: Books) -> None:
    """Whatever became of the order."""
    assert list(differences([books])) == []


@pytest.mark.parametrize(
    ("books", "what"),
    [
        (replace(GOOD, held=None), "without a reservation"),
        (replace(GOOD, held=("r2", "HELD")), "names reservation r1"),
        (replace(GOOD, held=("r1", "RELEASED")), "its reservation RELEASED"),
        (replace(GOOD, payments=()), "0 live authorizations"),
        (replace(GOOD, payments=(PAYMENT, replace(PAYMENT, id="p2"))), "2 live authorizations"),
        (replace(GOOD, payments=(VOIDED,)), "0 live authorizations"),
        (replace(GOOD, payment_id="p2"), "names payment p2"),
        (replace(GOOD, currency="USD"), "in USD"),
        (replace(GOOD, held=("r1", "COMMITTED")), "its reservation COMMITTED"),
        (replace(GOOD, stock={"A": (1, 0)}), "2 of A are still to ship, and 1 are held"),
        (replace(GOOD, stock={"A": (2, 0), "B": (1, 0)}), "0 of B are still to ship, and 1 are held"),
        (replace(SENT, stock={"A": (0, 1)}), "2 of A were shipped, and 1 have left"),
        (replace(SENT, payments=(replace(PAID, captured=9),)), "paid 10 by its shipments, and 9 were captured"),
        (replace(SENT, fulfilment=replace(SENT.fulfilment, refunded=1)), "gave 1 back, and 0 were refunded"),
        (paying(captured=11), "captured 11 of 10"),
        (paying(captured=5, refunded=6), "refunded 6 of 5"),
        (replace(GOOD, state="CANCELLED", payments=()), "reservation r1 is held, and the order is CANCELLED"),
        (replace(GOOD, state="REJECTED", held=None), "payment p1 is AUTHORIZED, and the order is REJECTED"),
        (Books("o1", None, held=("r1", "HELD")), "reservation r1 is held, and there is no such order"),
        (Books("o1", None, payments=(PAYMENT,)), "payment p1 is AUTHORIZED, and there is no such order"),
    ],
)
def test_books_that_do_not(books: Books, what: str) -> None:
    """Each is told with the ids."""
    (found,) = differences([books])
    assert (found.kind, found.id) == ("order", "o1")
    assert what in found.what


def test_what_was_under_way_is_not_told() -> None:
    """Only what is seen in every look."""
    passing, lasts = (Difference("order", name, "is wrong") for name in ("a", "b"))
    seen = iter([{passing, lasts}, {lasts}, {lasts, passing}, {lasts}])
    pauses: list[float] = []
    assert lasting(lambda: next(seen), pauses.append) == [lasts]
    assert len(pauses) == LOOKS - 1


def test_books_that_agree_are_looked_at_once() -> None:
    """Nothing to wait for."""
    assert lasting(set, lambda _: pytest.fail("it waited")) == []
