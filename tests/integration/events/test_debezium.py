"""From a row of a service's events table to a record of Kafka, by Debezium: what is promised to whoever consumes."""

import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
import pytest_asyncio
from psycopg.errors import InsufficientPrivilege

from deploy.native import secrets
from deploy.native.provision.postgres import connect, url
from deploy.native.runtime import Runtime
from mesh import context
from ordermesh.product.v1 import product_events_pb2, product_pb2
from services.common import events
from services.common.database import Database
from services.common.events import EventRecord
from services.common.ids import new_id
from services.common.received import event_in
from tests.integration.events.broker import Broker
from tests.integration.events.examples import TRACEPARENT
from tests.integration.events.ledger import settings_for

TOPIC = "product-events"
SERVICES = ["auth", "product", "inventory", "payment", "order", "notification"]
INSERT = """
INSERT INTO events (aggregate_type, aggregate_id, sequence, type, payload, actor)
VALUES ('product', %(id)s, 1, 'ordermesh.product.v1.ProductCreated', %(payload)s, 'service:tests')
"""


@pytest_asyncio.fixture
async def products(stack: Runtime) -> AsyncIterator[Database]:
    """Open the product service's database as the service does: no other has so few who consume its events."""
    kept = secrets.ensure(stack.root, stack.topology.services).database_passwords
    role = secrets.app_role("product")
    async with Database.open(settings_for(url(stack, "product", role, kept[role]), {})) as database:
        yield database


async def test_a_row_becomes_an_event_with_all_that_is_promised(products: Database, broker: Broker) -> None:
    """Key, payload and headers; consumers of other teams are built on these."""
    product_id, request_id = new_id(), str(uuid.uuid4())
    message = product_events_pb2.ProductCreated(product=product_pb2.Product(id=product_id, name="Größe ✓"))
    begin, before = broker.ends(TOPIC), datetime.now(UTC)
    with context.background(actor="user:u1", request_id=request_id, traceparent=TRACEPARENT):
        async with products.transaction() as connection:
            await events.append(connection, EventRecord("product", product_id, 1, message))
    (record,) = broker.follow(begin, {product_id.encode()}, 1)
    assert record.value == message.SerializeToString(deterministic=True)
    headers = {name: value.decode() for name, value in record.headers.items()}
    event_id, time = headers.pop("ce_id"), headers.pop("ce_time")
    assert uuid.UUID(event_id).version == 7
    assert before <= datetime.fromisoformat(time) <= datetime.now(UTC)
    assert headers == {
        "ce_specversion": "1.0",
        "ce_type": "ordermesh.product.v1.ProductCreated",
        "ce_source": "//ordermesh/product",
        "ce_subject": product_id,
        "ce_sequence": "1",
        "ce_actor": "user:u1",
        "ce_requestid": request_id,
        "traceparent": TRACEPARENT,
        "content-type": "application/protobuf",
    }


async def test_the_bytes_of_a_payload_arrive_as_they_are(products: Database, broker: Broker) -> None:
    """Whatever they are, and 2 MiB of them; and what nobody caused says so by leaving headers out."""
    product_id, payload = new_id(), bytes(range(256)) * 8192
    begin = broker.ends(TOPIC)
    async with products.transaction() as connection:
        await connection.execute(INSERT, {"id": product_id, "payload": payload})
    (record,) = broker.follow(begin, {product_id.encode()}, 1)
    assert record.value == payload
    event = event_in(record)
    assert (event.request_id, event.traceparent, event.actor) == ("", "", "service:tests")


async def _fail_after_adding(products: Database, product_id: str) -> float:
    async with products.transaction() as connection:
        await connection.execute(INSERT, {"id": product_id, "payload": b""})
        return 1 / 0


async def test_nothing_is_published_of_a_transaction_that_is_rolled_back(products: Database, broker: Broker) -> None:
    """Nor does it hold up what is committed after it."""
    undone, done = new_id(), new_id()
    begin = broker.ends(TOPIC)
    with pytest.raises(ZeroDivisionError):
        await _fail_after_adding(products, undone)
    async with products.transaction() as connection:
        await connection.execute(INSERT, {"id": done, "payload": b""})
    found = broker.follow(begin, {undone.encode(), done.encode()}, 1)
    assert [record.key.decode() for record in found] == [done]


async def test_events_of_a_key_are_published_in_the_order_of_their_commits(products: Database, broker: Broker) -> None:
    """All in one partition; many transactions at once do not mix them up."""
    ids = [new_id() for _ in range(5)]
    begin = broker.ends(TOPIC)
    for sequence in range(1, 21):
        for product_id in ids:
            record = EventRecord("product", product_id, sequence, product_events_pb2.ProductCreated())
            async with products.transaction() as connection:
                await events.append(connection, record)
    found = broker.follow(begin, {product_id.encode() for product_id in ids}, 100)
    for product_id in ids:
        own = [record for record in found if record.key.decode() == product_id]
        assert [int(record.headers["ce_sequence"]) for record in own] == list(range(1, 21))
        assert len({record.partition for record in own}) == 1


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_can_add_events_but_not_change_them(stack: Runtime, service: str) -> None:
    """Whatever its code tries: the database of the running stack refuses."""
    with connect(stack, stack.topology.services[service].database) as session:
        session.execute(f"SET ROLE {secrets.app_role(service)}".encode())
        session.execute("SELECT count(*) FROM events")
        for statement in (b"UPDATE events SET actor = 'x'", b"DELETE FROM events", b"TRUNCATE events"):
            with pytest.raises(InsufficientPrivilege):
                session.execute(statement)
