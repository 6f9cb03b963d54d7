"""Which events make a notification, and what becomes of it when everybody answers, refuses or is away."""

import asyncio
import uuid
from datetime import timedelta

import pytest

from mesh import context, errors
from ordermesh.order.v1 import order_events_pb2
from services.common.received import UndecodableError
from services.notification.delivery import Deliveries, Delivery, Recipient, RefusedError, UnreachableError
from services.notification.domain import Channel, Notification, RetryPlan, State, Template, notification_id
from services.notification.events import event_of, notification_to_proto
from services.notification.events.stories import TOLD, notification_caused_by
from services.notification.rendering import Writer
from tests.unit.services.notification.examples import (
    CUSTOMER,
    EVENT,
    NOW,
    ORDER,
    Addresses,
    MemoryStore,
    Outbox,
    a_notification,
    an_event,
    an_order,
)

PLAN = RetryPlan(attempts=3, first_pause=timedelta(seconds=1), longest_pause=timedelta(seconds=60))


class World:
    """Delivery with all its fakes."""

    def __init__(self) -> None:
        """Everything works."""
        self.store = MemoryStore()
        self.addresses = Addresses()
        self.mail = Outbox()
        self.delivery = Delivery(
            self.store,
            self.addresses,
            self.mail,
            writer=Writer("orders@ordermesh.test"),
            clock=self.store.clock,
            plan=PLAN,
        )
        self.deliveries = Deliveries(
            self.delivery, self.store, interval=timedelta(seconds=60), lease=timedelta(seconds=5)
        )

    def add(self) -> Notification:
        """Commit a notification."""
        notification = a_notification()
        self.store.rows[notification.id] = notification
        return notification

    @property
    def now(self) -> Notification:
        """The only notification, as it stands."""
        (notification,) = self.store.rows.values()
        return notification

    @property
    def tries(self) -> int:
        """How many attempts there were."""
        return len(self.now.attempts)

    async def pass_by(self, seconds: float) -> None:
        """Let time pass and the worker look."""
        self.store.clock.now += timedelta(seconds=seconds)
        await self.deliveries.once()


@pytest.fixture
def world() -> World:
    """Give each test its own."""
    return World()


@pytest.mark.parametrize(
    ("kind", "template"),
    [
        (order_events_pb2.OrderConfirmed, Template.ORDER_CONFIRMED),
        (order_events_pb2.OrderRejected, Template.ORDER_REJECTED),
        (order_events_pb2.OrderCancelled, Template.ORDER_CANCELLED),
    ],
)
def test_customers_hear_of_the_outcomes_of_their_orders(
    kind: type[order_events_pb2.OrderConfirmed], template: Template
) -> None:
    """The notification goes to who placed the order, in the request that caused it."""
    notification = a_notification(kind(order=an_order()))
    assert notification.template is template
    assert (notification.order_id, notification.customer_id) == (ORDER, CUSTOMER)
    assert notification.origin.request_id == "r1"


def test_customers_hear_of_what_became_of_their_orders_and_of_nothing_else() -> None:
    """What is on its way, what staff do about it, and what stock and payment do, is not for them."""
    assert {name.rpartition(".")[2] for name in TOLD} == {
        "OrderConfirmed",
        "OrderRejected",
        "OrderCancelled",
        "OrderLinesCancelled",
        "OrderShipped",
        "OrderShipmentRefused",
        "OrderDelivered",
        "OrderReturnRequested",
        "OrderReturnApproved",
        "OrderReturnRejected",
        "OrderReturnReceived",
        "OrderRefunded",
    }


def test_an_event_about_a_part_that_its_order_does_not_have_is_undecodable() -> None:
    """No sender of ours writes one, and no retry mends it."""
    with pytest.raises(UndecodableError):
        notification_caused_by(an_event(order_events_pb2.OrderShipped(order=an_order(), shipment_id="none")), NOW)


@pytest.mark.parametrize("kind", [order_events_pb2.OrderCreated, order_events_pb2.OrderStockReserved])
def test_customers_hear_nothing_of_steps_on_the_way(kind: type[order_events_pb2.OrderCreated]) -> None:
    """Nor of events that this service does not know."""
    assert notification_caused_by(an_event(kind(order=an_order())), NOW) is None


def test_an_event_that_does_not_parse_is_undecodable() -> None:
    """So the consumer parks it."""
    good = an_event()
    bad = type(good)(**{name: getattr(good, name) for name in good.__slots__} | {"payload": b"\xff\xff"})
    with pytest.raises(UndecodableError):
        notification_caused_by(bad, NOW)


def test_the_same_event_always_makes_the_same_notification() -> None:
    """Its id is a UUIDv7 of the event's time, and differs for every event and channel."""
    first = uuid.UUID(notification_id(EVENT, Channel.EMAIL))
    assert str(first) == notification_id(EVENT, Channel.EMAIL)
    assert (first.version, first.variant) == (7, uuid.RFC_4122)
    assert first.bytes[:6] == uuid.UUID(EVENT).bytes[:6]
    assert str(first) != notification_id("01890000-0000-7000-8000-00000000e002", Channel.EMAIL)


async def test_an_email_is_sent_and_the_providers_answer_kept(world: World) -> None:
    """The event tells the notification as it is then."""
    world.add()
    await world.deliveries.once()
    assert [letter.recipient for letter in world.mail.letters] == ["eve@example.test"]
    assert world.now.state is State.SENT
    assert [(attempt.number, attempt.delivered, attempt.detail) for attempt in world.now.attempts] == [
        (1, True, "2.0.0 OK")
    ]
    event = event_of(world.now)
    assert (event.aggregate_type, event.aggregate_id, event.sequence) == ("notification", world.now.id, 1)
    assert event.message.DESCRIPTOR.name == "NotificationSent"


async def test_what_was_sent_is_not_sent_again(world: World) -> None:
    """It is not due any more."""
    world.add()
    await world.deliveries.once()
    await world.pass_by(3600)
    assert len(world.mail.letters) == 1


@pytest.mark.parametrize("fault", [UnreachableError("no connection"), errors.Unavailable("auth is away")])
async def test_a_fault_that_may_pass_is_tried_again_later_each_time_later(world: World, fault: Exception) -> None:
    """Between attempts the notification is left alone."""
    (world.mail if isinstance(fault, UnreachableError) else world.addresses).faults = [fault, fault]
    world.add()
    await world.deliveries.once()
    assert world.tries == 1
    await world.pass_by(0.9)
    assert world.tries == 1
    await world.pass_by(0.1)
    assert world.tries == 2
    await world.pass_by(1.9)
    assert world.tries == 2
    await world.pass_by(0.1)
    assert world.now.state is State.SENT
    assert [attempt.delivered for attempt in world.now.attempts] == [False, False, True]


async def test_the_last_attempt_ends_in_failed_with_its_event(world: World) -> None:
    """Every attempt is there with what was said."""
    world.mail.faults = [UnreachableError(f"no {number}") for number in range(9)]
    world.add()
    await world.deliveries.once()
    for _ in range(5):
        await world.pass_by(60)
    assert world.now.state is State.FAILED
    assert [attempt.detail for attempt in world.now.attempts] == ["no 0", "no 1", "no 2"]
    event = event_of(world.now)
    assert (event.message.DESCRIPTOR.name, event.sequence) == ("NotificationFailed", 1)


async def test_what_the_provider_refuses_fails_at_once(world: World) -> None:
    """A mailbox that does not exist will not at the next attempt."""
    world.mail.faults = [RefusedError("the mail server said 550 no such user")]
    world.add()
    await world.deliveries.once()
    assert world.now.state is State.FAILED
    assert world.tries == 1


async def test_a_customer_who_is_gone_is_not_written_to(world: World) -> None:
    """Their account may have been deleted since."""
    world.addresses.faults = [errors.NotFound("there is no such user")]
    world.add()
    await world.deliveries.once()
    assert world.now.state is State.FAILED


async def test_an_address_that_can_not_be_written_to_fails_at_once(world: World) -> None:
    """Whatever auth let through."""
    world.addresses.recipient = Recipient("eve\r\n@x", "Eve")
    world.add()
    await world.deliveries.once()
    assert world.now.state is State.FAILED


async def test_delivery_acts_in_the_request_that_caused_the_notification(world: World) -> None:
    """So its event and its calls carry the same request id, and its own name."""
    seen: list[context.Call] = []

    class Watching(Addresses):
        async def find(self, customer_id: str) -> Recipient:
            seen.append(context.current())
            return await super().find(customer_id)

    delivery = Delivery(
        world.store,
        Watching(),
        world.mail,
        writer=Writer("orders@ordermesh.test"),
        clock=world.store.clock,
        plan=PLAN,
    )
    world.add()
    await Deliveries(delivery, world.store, interval=timedelta(1), lease=timedelta(seconds=5)).once()
    assert (seen[0].request_id, seen[0].caller.actor) == ("r1", "service:notification")


async def test_the_worker_looks_at_once_when_woken_and_ends_when_stopped(world: World) -> None:
    """It would look only every minute otherwise."""
    stop = asyncio.Event()
    worker = asyncio.create_task(world.deliveries.run(stop))
    await asyncio.sleep(0.01)
    world.add()
    world.deliveries.wake()
    async with asyncio.timeout(1):
        while world.now.state is State.PENDING:  # noqa: ASYNC110 - the store tells nobody
            await asyncio.sleep(0.001)
        stop.set()
        await worker


def test_pauses_double_up_to_the_longest() -> None:
    """However many failures there were."""
    pauses = [PLAN.pause(failures).total_seconds() for failures in (1, 2, 3, 7, 1000)]
    assert pauses == [1, 2, 4, 60, 60]


async def test_the_contract_shows_every_attempt(world: World) -> None:
    """The same form in replies and in events."""
    world.mail.faults = [UnreachableError("no connection")]
    world.add()
    await world.deliveries.once()
    await world.pass_by(1)
    shown = notification_to_proto(world.now)
    assert [(attempt.number, attempt.delivered) for attempt in shown.attempts] == [(1, False), (2, True)]
    assert shown.template == "order-confirmed"
    assert shown.State.Name(shown.state) == "SENT"
