"""An order is what its events say, and they say nothing the table of transitions does not allow."""

from dataclasses import replace

from hypothesis import given

from mesh import context
from services.common import events as event_table
from services.common.events import StoredEvent
from services.common.money import Money
from services.order.domain.order import Order, State
from services.order.domain.rebuilding import differences, rebuild
from services.order.domain.timeline import sentence
from services.order.events import event_of, order_of
from tests.unit.services.order.fakes import NOW
from tests.unit.services.order.walks import walks


def stored(order: Order) -> StoredEvent:
    """Write the event of an order as the table keeps it."""
    with context.background(actor="service:order"):
        values = event_table.parameters(event_of(order))
    return StoredEvent(
        "e", order.version, values["event_type"], values["event_payload"], values["event_actor"], None, NOW
    )


@given(walks())
def test_an_order_is_rebuilt_from_its_events_whatever_happened(history: list[Order]) -> None:
    """Through the contract's messages and back, each field."""
    rebuilt = rebuild(order_of(stored(order)) for order in history)
    assert rebuilt.faults == ()
    assert rebuilt.order is not None
    assert differences(rebuilt.order, history[-1]) == ()


@given(walks())
def test_everything_that_can_happen_has_its_sentence(history: list[Order]) -> None:
    """With nothing left to fill in."""
    told = [sentence(order) for order in history]
    assert all(each and "{" not in each for each in told)
    assert told[:3] == [
        "The order was placed",
        "The stock is held",
        "The payment was authorized: the order is confirmed",
    ]


@given(walks(most=3))
def test_a_history_with_a_gap_or_a_leap_is_found_out(history: list[Order]) -> None:
    """An event missing, a state that can't follow, a total that changed."""
    assert rebuild(history[:1] + history[2:]).faults
    assert rebuild(history[1:]).faults
    assert rebuild([*history[:-1], replace(history[-1], state=State.REJECTED)]).faults
    assert rebuild([*history[:-1], replace(history[-1], total=history[-1].total + Money("EUR", 1))]).faults


@given(walks(most=3))
def test_what_is_kept_otherwise_is_named(history: list[Order]) -> None:
    """By field, with both values."""
    kept = replace(history[-1], cancel_reason="never said")
    (difference,) = differences(history[-1], kept)
    assert "cancel_reason" in difference
    assert "never said" in difference


def test_nothing_is_rebuilt_from_nothing() -> None:
    """The caller says what that means."""
    assert rebuild([]).order is None
