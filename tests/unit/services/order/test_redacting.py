"""Events without what tells who a customer is."""

from google.type import postal_address_pb2

from ordermesh.order.v1 import order_events_pb2, order_pb2
from services.order.events.redacting import ERASED, redacted

HOME = postal_address_pb2.PostalAddress(region_code="DE", address_lines=["Secret St 1"], recipients=["Ann"])


def test_an_order_keeps_its_region_and_all_that_is_no_address() -> None:
    """Taxes go by the region."""
    order = order_pb2.Order(id="o1", customer_id="c1", etag="3", shipping_address=HOME)
    event = order_events_pb2.OrderShipped(order=order, shipment_id="s1")
    read = order_events_pb2.OrderShipped.FromString(redacted(event.DESCRIPTOR.full_name, event.SerializeToString()))
    assert (read.order.id, read.order.customer_id, read.order.etag, read.shipment_id) == ("o1", "c1", "3", "s1")
    assert read.order.shipping_address == postal_address_pb2.PostalAddress(region_code="DE")


def test_a_note_keeps_who_wrote_it_and_when_but_not_what() -> None:
    """Anything may stand in it."""
    event = order_events_pb2.OrderNoteCreated(note=order_pb2.OrderNote(id="n1", author="user:c1", text="ring at Ann's"))
    read = order_events_pb2.OrderNoteCreated.FromString(redacted(event.DESCRIPTOR.full_name, event.SerializeToString()))
    assert (read.note.id, read.note.author, read.note.text) == ("n1", "user:c1", ERASED)


def test_what_is_redacted_twice_is_the_same_as_once() -> None:
    """The command may be repeated."""
    event = order_events_pb2.OrderCreated(order=order_pb2.Order(id="o1", shipping_address=HOME))
    once = redacted(event.DESCRIPTOR.full_name, event.SerializeToString())
    assert redacted(event.DESCRIPTOR.full_name, once) == once
