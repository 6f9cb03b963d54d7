"""The e-mails: what they say, and that nothing in an order or a name can make them say something else."""

from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

import pytest
from google.protobuf.message import Message

from ordermesh.order.v1 import order_events_pb2 as events
from ordermesh.order.v1 import order_pb2
from services.notification.domain import Template
from services.notification.rendering import TEMPLATES, UnwritableError, Writer, money, one_line
from tests.unit.services.notification.examples import ORDER, a_notification, a_story, an_order


def written(message: Message | None = None, address: str = "eve@example.test", name: str = "Eve") -> EmailMessage:
    """Return the e-mail as a mail server would read it."""
    sent = Writer("orders@ordermesh.test").write(a_notification(message), address, name)
    read = message_from_bytes(sent.content, policy=default)
    assert isinstance(read, EmailMessage)
    return read


def body(message: EmailMessage, kind: str) -> str:
    """Return one of the two bodies."""
    part = message.get_body((kind,))
    assert part is not None
    content = part.get_content()
    assert isinstance(content, str)
    return content.replace("\r\n", "\n")


def test_a_confirmation_lists_the_lines_with_their_amounts_and_the_total() -> None:
    """The same in the text and in HTML."""
    message = written()
    assert message["Subject"] == f"Your order {ORDER} is confirmed"
    text = body(message, "plain")
    assert "Hello Eve," in text
    assert "  2 x Cup <b> Bcc: x (CUP): 1,234.50 EUR\n" in text
    assert "  1 x Tea & milk (TEA): 0.05 EUR\n" in text
    assert "  Total: 1,234.55 EUR\n" in text
    assert "  12345 Town\n" in text
    assert "1,234.55 EUR" in body(message, "html")


def test_html_is_escaped() -> None:
    """A product's name is text, whatever it looks like."""
    html = body(written(name="<script>"), "html")
    assert "Cup &lt;b&gt;" in html
    assert "Tea &amp; milk" in html
    assert "<script>" not in html


@pytest.mark.parametrize("name", ["Eve\r\nBcc: victim@example.test", "Eve\nX: y", "Eve\x00\u2028Bcc: z"])
def test_a_name_brings_no_header_into_the_message(name: str) -> None:
    """Line breaks in it become spaces."""
    message = written(name=name)
    assert set(message.keys()) <= {
        "From",
        "To",
        "Subject",
        "Date",
        "Message-ID",
        "Auto-Submitted",
        "MIME-Version",
        "Content-Type",
    }
    assert [each.addr_spec for each in message["To"].addresses] == ["eve@example.test"]


@pytest.mark.parametrize("address", ["eve@example.test\r\nBcc: x@y.test", "eve", "", "a@b, c@d"])
def test_an_address_that_is_none_can_not_be_written_to(address: str) -> None:
    """It is refused for good, not retried."""
    with pytest.raises(UnwritableError):
        written(address=address)


def test_a_template_in_the_content_is_not_run() -> None:
    """Values are values."""
    order = an_order()
    order.lines[0].name = "{{ 7 * 7 }}"
    text = body(written(events.OrderConfirmed(order=order)), "plain")
    assert "{{ 7 * 7 }}" in text


def test_a_template_can_not_reach_into_python(tmp_path: Path) -> None:
    """Templates run in a sandbox: who may write one must not own the process."""
    folder = tmp_path / "order-confirmed"
    folder.mkdir()
    (folder / "subject.txt").write_text("{{ name.__class__.__mro__ }}")
    with pytest.raises(UnwritableError, match="unsafe"):
        Writer("orders@ordermesh.test", templates=tmp_path).write(a_notification(), "eve@example.test", "Eve")


def test_a_rejection_says_why() -> None:
    """In the words meant for people."""
    order = an_order()
    order.rejection.CopyFrom(order_pb2.Rejection(reason="OUT_OF_STOCK", message="CUP is sold out"))
    message = written(events.OrderRejected(order=order))
    assert message["Subject"] == f"Your order {ORDER} could not be placed"
    assert "Why: CUP is sold out" in body(message, "plain")


def test_a_cancellation_says_why_if_a_reason_was_given() -> None:
    """And nothing about reasons otherwise."""
    order = an_order()
    assert "Why" not in body(written(events.OrderCancelled(order=order)), "plain")
    order.cancel_reason = "changed my mind"
    assert "Why: changed my mind" in body(written(events.OrderCancelled(order=order)), "plain")


@pytest.mark.parametrize(
    ("event", "subject", "told"),
    [
        (
            events.OrderShipped(shipment_id="part"),
            "is on its way",
            ["1 x Cup", "Sent with: dhl", "Tracking number: Evil Bcc: x", "617.25 EUR", "What is left of your order"],
        ),
        (events.OrderDelivered(shipment_id="part"), "was delivered", ["1 x Cup", "What is left of your order follows"]),
        (
            events.OrderShipmentRefused(shipment_id="part"),
            "could not charge you",
            ["617.25 EUR", "1 x Cup", "have a look at your means of payment"],
        ),
        (
            events.OrderLinesCancelled(line_cancellation_id="part"),
            "a part of your order",
            ["1 x Tea & milk", "Why: too much", "0.05 EUR"],
        ),
        (events.OrderReturnRequested(return_id="part"), "was asked for", ["1 x Cup", "2 x Tea"]),
        (events.OrderReturnApproved(return_id="part"), "is approved", ["1 x Cup", "use the label"]),
        (events.OrderReturnRejected(return_id="part"), "is turned down", ["1 x Cup", "Why: use the label"]),
        (events.OrderReturnReceived(return_id="part"), "has arrived", ["1 x Cup", "Your money is on its way"]),
        (events.OrderRefunded(refund_id="part"), "on its way back", ["617.25 EUR", "What for: it was late"]),
    ],
    ids=lambda each: type(each).__name__ if isinstance(each, Message) else "",
)
def test_what_becomes_of_an_order_is_told_with_the_things_it_is_about(
    event: Message, subject: str, told: list[str]
) -> None:
    """In the text and in HTML, and nothing in it becomes a line or a tag of its own."""
    event.order.CopyFrom(a_story())  # type: ignore[attr-defined]
    message = written(event)
    text, html = body(message, "plain"), body(message, "html")
    assert subject in message["Subject"].lower()
    assert [each for each in told if each not in text] == []
    assert not [line for line in text.splitlines() if line.startswith("Bcc")]
    assert "<b>" not in html
    assert f"Order {ORDER}, placed on 2026-05-04." in html


def test_what_did_not_come_back_is_not_told_of() -> None:
    """Two teas were expected; none arrived."""
    received = events.OrderReturnReceived(return_id="part", order=a_story())
    assert "Tea" not in body(written(received), "plain")


def test_the_last_parcel_promises_nothing_more() -> None:
    """All units are shipped or cancelled."""
    order = a_story()
    order.lines[0].cancelled_quantity = order.lines[1].cancelled_quantity = 1
    assert "follows" not in body(written(events.OrderShipped(shipment_id="part", order=order)), "plain")


def test_the_same_notification_always_has_the_same_message_id() -> None:
    """A mail server that gets it twice can tell."""
    assert written()["Message-ID"] == written()["Message-ID"]
    assert written()["Message-ID"].endswith("@ordermesh.test>")


@pytest.mark.parametrize("template", list(Template))
def test_every_template_has_a_subject_and_two_bodies(template: Template) -> None:
    """They are looked up by name only when an e-mail is written."""
    for name in ("subject.txt", "body.txt", "body.html"):
        assert (TEMPLATES / template / name).is_file()


@pytest.mark.parametrize(
    ("code", "units", "nanos", "text"),
    [
        ("EUR", 0, 0, "0.00 EUR"),
        ("EUR", 1_234_567, 890_000_000, "1,234,567.89 EUR"),
        ("EUR", -3, -500_000_000, "-3.50 EUR"),
        ("JPY", 1500, 0, "1,500 JPY"),
        ("KWD", 1, 5_000_000, "1.005 KWD"),
    ],
)
def test_amounts_have_the_decimal_places_of_their_currency(code: str, units: int, nanos: int, text: str) -> None:
    """ISO 4217 says how many."""
    assert money({"currency_code": code, "units": units, "nanos": nanos}) == text


def test_one_line_has_no_control_characters_and_an_end() -> None:
    """So it fits into a header and into a line."""
    assert one_line("a\r\n\tb\x00c") == "a b c"
    assert len(one_line("x" * 10_000)) == 200
