"""From an event of an order to one e-mail: the running service, with events and outages that no order makes."""

import json
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest
from google.type import money_pb2, postal_address_pb2

from deploy.native import secrets
from deploy.native.provision import postgres
from deploy.native.runtime import Runtime
from deploy.native.supervisor import Supervisor
from ordermesh.notification.v1 import notification_events_pb2
from ordermesh.order.v1 import order_events_pb2, order_pb2
from services.common.ids import new_id
from services.common.received import Record, event_in
from tests.e2e.shop import Client, Shop, eventually
from tests.integration.events.broker import Broker
from tests.integration.events.examples import event

ORDERS, NOTIFICATIONS = "order-events", "notification-events"
PATIENCE_S = 60.0
INSERT = """
INSERT INTO events (id, aggregate_type, aggregate_id, sequence, type, payload, actor)
VALUES (%s, 'order', %s, %s, %s, %s, %s)
"""


@pytest.fixture(scope="module")
def shop(stack: Runtime) -> Iterator[Shop]:
    """Where customers come from, and their e-mails arrive."""
    found = json.loads((stack.root / "credentials.json").read_text())
    opened = Shop(found["edge_http"], found["admin_email"], found["admin_password"], stack.root / "mail")
    with closing(opened):
        yield opened


def confirmed(customer: Client) -> Record:
    """Return the event that tells of a confirmed order of a customer."""
    order = order_pb2.Order(
        id=new_id(),
        customer_id=customer.user["id"],
        lines=[order_pb2.OrderLine(sku="CUP", quantity=2, name="Cup", amount=euros(20))],
        total=euros(20),
        shipping_address=postal_address_pb2.PostalAddress(recipients=["Ann"], locality="Berlin", region_code="DE"),
    )
    order.create_time.GetCurrentTime()
    record = event(ORDERS, order.id, 3)
    value = order_events_pb2.OrderConfirmed(order=order).SerializeToString()
    return Record(ORDERS, record.partition, -1, record.key, value, record.headers)


def euros(units: int) -> money_pb2.Money:
    """Return an amount."""
    return money_pb2.Money(currency_code="EUR", units=units)


def forge(stack: Runtime, broker: Broker, records: list[Record]) -> None:
    """Send events that no order made. Order's table has them too, or the audit of this stack would miss them there."""
    with postgres.connect(stack, stack.topology.services["order"].database) as connection:
        for record in {record.headers["ce_id"]: record for record in records}.values():
            told = event_in(record)
            values = (told.id, told.subject, told.sequence, told.type, told.payload, told.actor)
            connection.execute(INSERT, values)
    broker.send(records)


def notifications(customer: Client, record: Record) -> list[dict[str, Any]]:
    """Ask what became of the notifications that an event caused."""
    found = customer.get("/api/v1/notifications", orderId=record.key.decode())
    told: list[dict[str, Any]] = found.get("notifications", [])
    return told


def sent(customer: Client, record: Record) -> bool:
    """Whether there is one notification, and its e-mail is on its way."""
    return [each["state"] for each in notifications(customer, record)] == ["SENT"]


def test_an_order_that_is_confirmed_twice_brings_one_e_mail(stack: Runtime, shop: Shop, broker: Broker) -> None:
    """The same event several times, and another one after it, by whose e-mail all is known to be through."""
    customer, begin = shop.customer(), broker.ends(NOTIFICATIONS)
    twice, after = confirmed(customer), confirmed(customer)
    forge(stack, broker, [twice, twice, after])
    eventually(lambda: sent(customer, after), within_s=PATIENCE_S)
    eventually(lambda: sent(customer, twice), within_s=PATIENCE_S)
    (told,) = notifications(customer, twice)
    assert [attempt["delivered"] for attempt in told["attempts"]] == [True]
    assert len(shop.letters_about(twice.key.decode())) == 1
    (record,) = broker.follow(begin, {told["id"].encode()}, 1)
    published = event_in(record).message(notification_events_pb2.NotificationSent)
    assert published.notification.order_id == twice.key.decode()
    assert event_in(record).request_id == "r1"


@contextmanager
def without_mail(supervisor: Supervisor) -> Iterator[None]:
    """Have no mail server while the body runs."""
    supervisor.stop(["mail"])
    try:
        yield
    finally:
        supervisor.run("mail")


def test_while_no_mail_server_answers_an_e_mail_waits(stack: Runtime, shop: Shop, broker: Broker) -> None:
    """It is sent once when one is back; the customer sees the attempts, and nothing of our inside in them."""
    supervisor = Supervisor(stack, secrets.ensure(stack.root, stack.topology.services))
    customer = shop.customer()
    record = confirmed(customer)
    with without_mail(supervisor):
        forge(stack, broker, [record])
        attempted = lambda: any(each["attempts"] for each in notifications(customer, record))  # noqa: E731
        eventually(attempted, within_s=PATIENCE_S)
        (waiting,) = notifications(customer, record)
        assert waiting["state"] == "PENDING"
    eventually(lambda: sent(customer, record), within_s=PATIENCE_S)
    (told,) = notifications(customer, record)
    delivered = [attempt.get("delivered", False) for attempt in told["attempts"]]
    assert delivered == [*[False] * (len(delivered) - 1), True]
    assert told["attempts"][0]["detail"] == "the mail server can't be reached"
    assert len(shop.letters_about(record.key.decode())) == 1


def test_an_event_of_nobody_we_know_ends_as_failed(stack: Runtime, shop: Shop, broker: Broker) -> None:
    """There is nobody to write to, now or later: it is told as an event, and holds up nothing."""
    customer, begin = shop.customer(), broker.ends(NOTIFICATIONS)
    known, unknown = confirmed(customer), confirmed(customer)
    stranger = order_events_pb2.OrderConfirmed.FromString(unknown.value)
    stranger.order.customer_id = str(uuid.uuid4())
    value = stranger.SerializeToString()
    forge(stack, broker, [Record(ORDERS, unknown.partition, -1, unknown.key, value, unknown.headers), known])
    eventually(lambda: sent(customer, known), within_s=PATIENCE_S)
    told = eventually(lambda: notifications(shop.admin, unknown), within_s=PATIENCE_S)
    (record,) = broker.follow(begin, {told[0]["id"].encode()}, 1)
    event_in(record).message(notification_events_pb2.NotificationFailed)
