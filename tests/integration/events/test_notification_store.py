"""Notifications that are due, and workers that take them: each by one at a time, each attempt recorded once."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio

from deploy.native import secrets
from services.common.database import Database
from services.common.ids import new_id
from services.common.settings import ServiceSettings
from services.notification import domain
from services.notification.domain import Notification, RetryPlan, State, Template
from services.notification.store import NotificationStore
from tests.integration.postgres import Postgres

LEASE = timedelta(seconds=20)
PLAN = RetryPlan()
WORKERS = 4


@pytest_asyncio.fixture
async def database(postgres: Postgres) -> AsyncIterator[Database]:
    """Open the notification database of a server where nobody delivers, without a row in it."""
    postgres.migrate("notification")
    postgres.empty("notification")
    async with Database.open(postgres.settings(ServiceSettings, "notification")) as opened:
        yield opened


@pytest.fixture
def store(database: Database) -> NotificationStore:
    """Open the store."""
    return NotificationStore(database)


async def add(database: Database, store: NotificationStore, count: int) -> None:
    """Have so many notifications that are due."""
    now = datetime.now(UTC)
    async with database.transaction() as connection:
        for _ in range(count):
            due = domain.begin(new_id(), Template.ORDER_CONFIRMED, order_id=new_id(), customer_id=new_id(), now=now)
            await store.add(connection, due)


def ids(*claims: list[Notification]) -> list[str]:
    """List the ids of all that was claimed."""
    return [notification.id for claimed in claims for notification in claimed]


async def test_an_event_that_comes_again_adds_no_second_notification(
    database: Database, store: NotificationStore
) -> None:
    """Its id is made of the event's; so it holds after the inbox has forgotten the event."""
    event_id = new_id()
    for _ in range(2):
        again = domain.begin(
            event_id, Template.ORDER_CONFIRMED, order_id=new_id(), customer_id=new_id(), now=datetime.now(UTC)
        )
        async with database.transaction() as connection:
            await store.add(connection, again)
    assert len(await store.claim(10, LEASE)) == 1


@pytest.mark.parametrize("preference", ["", "hashjoin", "hashjoin mergejoin", "hashjoin mergejoin hashagg sort"])
async def test_a_worker_claims_no_more_than_it_asked_for_whatever_the_planner_prefers(
    database: Database, store: NotificationStore, postgres: Postgres, preference: str
) -> None:
    """A subquery that is run again for each row would lock other rows each time."""
    await add(database, store, 20)
    role = secrets.app_role("notification")
    with postgres.superuser("notification") as session:
        for way in (*preference.split(), "material", "memoize"):
            session.execute(f"ALTER ROLE {role} SET enable_{way} = off".encode())
    try:
        async with Database.open(postgres.settings(ServiceSettings, "notification")) as anew:
            assert len(await NotificationStore(anew).claim(5, LEASE)) == 5
    finally:
        with postgres.superuser("notification") as session:
            session.execute(f"ALTER ROLE {role} RESET ALL".encode())


async def test_no_two_workers_get_the_same_notification(database: Database, store: NotificationStore) -> None:
    """All of them together get each."""
    await add(database, store, 40)
    claims = await asyncio.gather(*(store.claim(10, LEASE) for _ in range(WORKERS)))
    assert len(ids(*claims)) == len(set(ids(*claims))) == 40
    assert await store.claim(10, LEASE) == []


async def test_what_is_not_recorded_is_due_again_when_its_lease_ends(
    database: Database, store: NotificationStore
) -> None:
    """The process that claimed it may have died."""
    await add(database, store, 1)
    (claimed,) = await store.claim(10, timedelta(seconds=0.2))
    await asyncio.sleep(0.3)
    assert ids(await store.claim(10, LEASE)) == [claimed.id]


@pytest.mark.parametrize("late", ["delivered", "not delivered"])
@pytest.mark.parametrize("quick", ["delivered", "not delivered"])
async def test_of_two_who_record_the_same_attempt_the_quicker_is_believed(
    database: Database, store: NotificationStore, quick: str, late: str
) -> None:
    """The other was away for longer than its lease; it hears that it came too late, and changes nothing."""
    await add(database, store, 1)
    (claimed,) = await store.claim(10, LEASE)
    now = datetime.now(UTC)
    outcomes = {
        "delivered": domain.delivered(claimed, "250 OK", now),
        "not delivered": domain.not_delivered(claimed, "451 no", now, PLAN, for_good=False),
    }
    assert await store.save(outcomes[quick])
    after = await store.get(claimed.id)
    assert not await store.save(replace(outcomes[late], update_time=now + timedelta(seconds=1)))
    assert await store.get(claimed.id) == after
    assert after.state is (State.SENT if quick == "delivered" else State.PENDING)
