"""What the audit calls wrong, and that it looks twice."""

from dataclasses import replace

import pytest

from deploy.native.audit import LOOKS, lasting
from deploy.native.audit.rules import Books, Difference, Payment, differences

PAYMENT = Payment("p1", "AUTHORIZED", "EUR", authorized=10, captured=0, refunded=0)
GOOD = Books("o1", "CONFIRMED", "EUR", "p1", "r1", held=("r1", "HELD"), payments=(PAYMENT,))
VOIDED = replace(PAYMENT, state="VOIDED")


@pytest.mark.parametrize(
    "books",
    [
        GOOD,
        replace(
            GOOD, state="SHIPPED", held=("r1", "COMMITTED"), payments=(replace(PAYMENT, state="CAPTURED", captured=10),)
        ),
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
        (replace(GOOD, payments=(replace(PAYMENT, state="CAPTURED", captured=11),)), "captured 11 of 10"),
        (replace(GOOD, payments=(replace(PAYMENT, state="CAPTURED", captured=5, refunded=6),)), "refunded 6 of 5"),
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
