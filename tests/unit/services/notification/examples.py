"""An order, the event that tells of it, and what delivery stands on."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from google.protobuf.message import Message
from google.type import money_pb2, postal_address_pb2

from mesh import errors
from ordermesh.order.v1 import order_events_pb2, order_pb2
from services.common.protobuf import timestamp_to_proto
from services.common.received import ReceivedEvent
from services.notification.delivery import Recipient
from services.notification.domain import Notification
from services.notification.events.stories import notification_caused_by
from services.notification.letters import Letter

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
EVENT = "01890000-0000-7000-8000-00000000e001"
ORDER = "01890000-0000-7000-8000-00000000a001"
CUSTOMER = "01890000-0000-7000-8000-00000000c001"


def an_order() -> order_pb2.Order:
    """Two lines, one with a name that would break careless templates."""
    return order_pb2.Order(
        id=ORDER,
        customer_id=CUSTOMER,
        lines=[
            order_pb2.OrderLine(sku="CUP", quantity=2, name="Cup <b>\r\nBcc: x", amount=euros(1234, 50)),
            order_pb2.OrderLine(sku="TEA", quantity=1, name="Tea & milk", amount=euros(0, 5)),
        ],
        total=euros(1234, 55),
        shipping_address=postal_address_pb2.PostalAddress(
            recipients=["Eve"], address_lines=["1 Main St"], postal_code="12345", locality="Town", region_code="DE"
        ),
        create_time=timestamp_to_proto(NOW),
    )


def euros(units: int, cents: int) -> money_pb2.Money:
    """Return an amount."""
    return money_pb2.Money(currency_code="EUR", units=units, nanos=cents * 10_000_000)


def a_story() -> order_pb2.Order:
    """Return an order with one part of each kind, all called `part`: one of two cups was sent, and came back."""
    order, tracked, cup = an_order(), "Evil\r\nBcc: x", "CUP"
    order.lines[0].shipped_quantity = order.lines[0].returned_quantity = 1
    failure = order_pb2.Rejection(reason="CARD_DECLINED", message="your bank said no")
    line = order_pb2.ShipmentLine(sku=cup, quantity=1)
    order.shipments.add(
        id="part", lines=[line], carrier="dhl", tracking_number=tracked, amount=euros(617, 25), failure=failure
    )
    units = [order_pb2.OrderUnits(sku="TEA", quantity=1)]
    order.line_cancellations.add(id="part", lines=units, reason="too much", amount=euros(0, 5))
    back = [order_pb2.ReturnLine(sku=cup, quantity=1, received_quantity=1), order_pb2.ReturnLine(sku="TEA", quantity=2)]
    order.returns.add(id="part", lines=back, note="use the label", refund_id="part")
    order.refunds.add(id="part", amount=euros(617, 25), reason="it was late")
    return order


def an_event(message: Message | None = None, event_id: str = EVENT) -> ReceivedEvent:
    """Return the event as a consumer gets it; OrderConfirmed unless said otherwise."""
    message = message or order_events_pb2.OrderConfirmed(order=an_order())
    return ReceivedEvent(
        id=event_id,
        type=message.DESCRIPTOR.full_name,
        subject=ORDER,
        sequence=3,
        source="//ordermesh/order",
        time=NOW,
        request_id="r1",
        actor=f"user:{CUSTOMER}",
        traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        topic="order-events",
        payload=message.SerializeToString(),
    )


def a_notification(message: Message | None = None) -> Notification:
    """Return what the event makes the customer hear."""
    notification = notification_caused_by(an_event(message), NOW)
    assert notification is not None
    return notification


@dataclass
class Clock:
    """Time that moves when told to."""

    now: datetime = NOW

    def __call__(self) -> datetime:
        """Return the time."""
        return self.now


@dataclass
class MemoryStore:
    """The notification database as a dictionary."""

    rows: dict[str, Notification] = field(default_factory=dict)
    clock: Clock = field(default_factory=Clock)

    async def claim(self, limit: int, _: timedelta) -> list[Notification]:
        """Return what is due."""
        due = [row for row in self.rows.values() if row.due_time and row.due_time <= self.clock()]
        return due[:limit]

    async def save(self, notification: Notification) -> bool:
        """Keep its next version."""
        self.rows[notification.id] = notification
        return True


@dataclass
class Addresses:
    """An address book of one customer."""

    recipient: Recipient = field(default_factory=lambda: Recipient("eve@example.test", "Eve"))
    faults: list[Exception] = field(default_factory=list)

    async def find(self, customer_id: str) -> Recipient:
        """Return where they are reached."""
        if self.faults:
            raise self.faults.pop(0)
        if customer_id != CUSTOMER:
            raise errors.NotFound("there is no such user")
        return self.recipient

    async def code(self, code_id: str) -> str:
        """Make the code of a mail, of its id."""
        if self.faults:
            raise self.faults.pop(0)
        return f"code-of-{code_id}"


@dataclass
class Outbox:
    """A mail server that keeps what it took, after the faults it was told to have."""

    faults: list[Exception] = field(default_factory=list)
    letters: list[Letter] = field(default_factory=list)

    async def send(self, letter: Letter) -> str:
        """Take a letter."""
        if self.faults:
            raise self.faults.pop(0)
        self.letters.append(letter)
        return "2.0.0 OK"
