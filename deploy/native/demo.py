"""`make demo`: one order as a customer would place it, followed through the system until its e-mail has arrived."""

import argparse
import email
import email.policy
import json
import os
import secrets as randomness
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from email.message import EmailMessage
from pathlib import Path

from confluent_kafka import TopicPartition

from deploy.native import event_log
from deploy.native.errors import StackError
from deploy.native.event_log import Event
from deploy.native.events import clock, contracts_of, place_of
from deploy.native.provision.api import Api, ApiError, Json, patiently
from deploy.native.provision.kafka_clients import as_operator
from deploy.native.provision.waiting import wait_for
from deploy.native.runtime import Runtime
from deploy.native.secrets import write_private

CHECKOUT = Path(__file__).resolve().parents[2]
CUSTOMER_FILE = "demo.json"
PAYMENT_TOKEN = "tok_visa"  # noqa: S105 - the sandbox's name for a card that is good
QUANTITY = 2
CONFIRMED, PENDING = "CONFIRMED", "PENDING"
LAST_EVENT = "OrderConfirmed"
ADDRESS: Json = {
    "regionCode": "DE",
    "postalCode": "10115",
    "locality": "Berlin",
    "addressLines": ["Invalidenstrasse 1"],
    "recipients": ["Dana Demo"],
}
CONFIRM_WITHIN_S = 15.0
EVENTS_WITHIN_S = 20.0
MAIL_WITHIN_S = 20.0
LABEL_WIDTH = 12

Say = Callable[[str], None]


class DemoFailed(StackError):
    """A step of the demonstration did not come, or came out wrong; the message says which and where to look."""


class NotYet(Exception):
    """What is waited for has not come."""


@dataclass(frozen=True, slots=True)
class Customer:
    """Whom the demonstration orders as; kept in the runtime folder so that there is one only."""

    email: str
    password: str = field(repr=False)


def command(argv: Sequence[str]) -> None:
    """Follow `demo`; raise a StackError when a step does not come."""
    argparse.ArgumentParser("python -m deploy.native demo", description=__doc__).parse_args(argv)
    run(Runtime.load(CHECKOUT, os.environ))


def run(runtime: Runtime, say: Say = print) -> None:
    """Place an order and show its outcome, its events and its e-mail. Raises DemoFailed, ApiError or ProvisionError."""
    with Api.of(runtime) as api:
        say(f"\nAn order as a customer places it, at {api.base_url}:\n")
        customer = _log_in(api, runtime, say)
        sku = choose(api, say)
        events = follower(runtime)
        began = time.monotonic()
        order = place(api, sku, say)
        for event in events(order["id"]):
            say(_line("event", f"{clock(event)}  {event.name.ljust(20)}{place_of(event)}"))
    _show_mail(wait_for_mail(runtime, customer.email, order["id"]), time.monotonic() - began, say)


def choose(api: Api, say: Say) -> str:
    """Find the first variant that is in stock."""
    products = api.get("/api/v1/products", pageSize=20).get("products", [])
    names = {v["sku"]: f"{product['name']}, {v['name']}" for product in products for v in product["variants"]}
    if names:
        stocks = api.get("/api/v1/inventory:batchGet", skus=list(names)[:100]).get("stocks", [])
        for stock in stocks:
            if int(stock.get("available", 0)) >= QUANTITY:
                say(_line("chose", f"{QUANTITY} x {stock['sku']} ({names[stock['sku']]})"))
                return str(stock["sku"])
    raise DemoFailed(f"none of the {len(names)} variants shown is in stock; receive some as the admin")


def place(api: Api, sku: str, say: Say) -> Json:
    """Place the order and wait for its outcome. Raises DemoFailed when that is not CONFIRMED."""
    body = {
        "lines": [{"sku": sku, "quantity": QUANTITY}],
        "shippingAddress": ADDRESS,
        "paymentToken": PAYMENT_TOKEN,
    }
    key, began = str(uuid.uuid4()), time.monotonic()
    placed = patiently("order", lambda: api.post("/api/v1/orders", body, key=key))
    order = _settled(api, placed)
    took = f"{(time.monotonic() - began) * 1000:.0f} ms"
    say(_line("ordered", f"{order['id']}  {order['state']}  {amount(order['total'])}  in {took}"))
    if order["state"] != CONFIRMED:
        raise DemoFailed(f"order {order['id']} is {order['state']}: {json.dumps(order.get('rejection', {}))}")
    return order


def follower(runtime: Runtime) -> Callable[[str], Iterator[Event]]:
    """Remember where the orders' events end now; answers what reads an order's events from there to the last one."""
    topic, client = runtime.topology.services["order"].events_topic, as_operator(runtime)
    end = event_log.tail(client, topic, last=0)[1]
    return lambda order_id: _events_of(runtime, end, order_id)


def wait_for_mail(runtime: Runtime, recipient: str, order_id: str) -> EmailMessage:
    """Wait until the mail sink has a message to the customer about the order."""

    def look() -> EmailMessage:
        for message in _mails(runtime.root / "mail", order_id):
            if recipient in message["To"] and (order_id in message["Subject"] or order_id in text_of(message)):
                return message
        raise NotYet(f"no e-mail about order {order_id} to {recipient}; see make logs s=notification")

    return wait_for("the e-mail", look, errors=(NotYet,), timeout_s=MAIL_WITHIN_S)


def text_of(message: EmailMessage) -> str:
    """Read the part of an e-mail that is plain text, decoded."""
    body = message.get_body(("plain",))
    return str(body.get_content()).strip() if body else ""


def amount(money: Json) -> str:
    """Write google.type.Money for people."""
    value = int(money.get("units", 0)) + Decimal(money.get("nanos", 0)) / 1_000_000_000
    return f"{value:.2f} {money['currencyCode']}"


def _log_in(api: Api, runtime: Runtime, say: Say) -> Customer:
    path = runtime.root / CUSTOMER_FILE
    customer = Customer(**json.loads(path.read_text())) if path.exists() else None
    if customer is None or not _is_known(api, customer):
        customer = _register(api)
        write_private(path, json.dumps(asdict(customer)) + "\n")
        say(_line("registered", customer.email))
        patiently("auth", lambda: api.login(customer.email, customer.password))
    say(_line("logged in", customer.email))
    return customer


def _is_known(api: Api, customer: Customer) -> bool:
    try:
        patiently("auth", lambda: api.login(customer.email, customer.password))
    except ApiError as error:
        if error.code != "UNAUTHENTICATED":
            raise
        return False
    return True


def _register(api: Api) -> Customer:
    customer = Customer(f"dana-{randomness.token_hex(4)}@example.test", randomness.token_urlsafe(18))
    api.post("/api/v1/auth/register", {**asdict(customer), "displayName": "Dana Demo"})
    return customer


def _settled(api: Api, placed: Json) -> Json:
    def look() -> Json:
        order = placed if placed["state"] != PENDING else api.get(f"/api/v1/orders/{placed['id']}")
        if order["state"] == PENDING:
            raise NotYet(f"order {placed['id']} is still PENDING; see make logs s=order")
        return order

    return wait_for("the order's confirmation", look, errors=(NotYet,), timeout_s=CONFIRM_WITHIN_S)


def _events_of(runtime: Runtime, places: Sequence[TopicPartition], order_id: str) -> Iterator[Event]:
    contracts = contracts_of(runtime)
    for event in event_log.follow(as_operator(runtime), places, contracts, for_s=EVENTS_WITHIN_S):
        if event.key == order_id:
            yield event
            if event.name == LAST_EVENT:
                return
    raise DemoFailed(
        f"{LAST_EVENT} of order {order_id} did not reach Kafka within {EVENTS_WITHIN_S:.0f} s;"
        " see make status and make logs s=connect"
    )


def _mails(folder: Path, order_id: str) -> Iterator[EmailMessage]:
    """Read the messages that mention an order, the newest first; there may be thousands about others."""
    for path in sorted(folder.glob("*.eml"), reverse=True):
        content = path.read_bytes()
        message = (
            email.message_from_bytes(content, policy=email.policy.default) if order_id.encode() in content else None
        )
        if isinstance(message, EmailMessage):
            yield message


def _show_mail(message: EmailMessage, seconds: float, say: Say) -> None:
    say(_line("e-mail", f"to {message['To']}: {message['Subject']} ({seconds:.1f} s after the order)"))
    body = message.get_body(("plain",))
    for text in body.get_content().strip().splitlines() if body else ():
        say(_line("", f"| {text}"))


def _line(label: str, text: str) -> str:
    return f"  {label.ljust(LABEL_WIDTH)}{text}".rstrip()
