"""What these tests use of the running stack: its broker and its PostgreSQL, each with things of the tests' own."""

import os
import urllib.parse
import uuid
from collections.abc import AsyncIterator, Iterator
from secrets import token_hex

import pytest
import pytest_asyncio
from psycopg.sql import SQL, Identifier, Literal

from deploy.native import components, secrets
from deploy.native.provision.postgres import connect, url_of
from deploy.native.runtime import Runtime
from services.common.database import Database
from services.common.settings import ServiceSettings
from tests.integration.conftest import CHECKOUT
from tests.integration.events.broker import Broker
from tests.integration.events.ledger import Ledger, create_tables, settings_for
from tests.integration.postgres import Postgres

PARTITIONS = 3


@pytest.fixture(scope="session")
def broker(stack: Runtime) -> Broker:
    """The stack's broker."""
    return Broker(stack)


@pytest.fixture
def group() -> str:
    """Name a consumer group that nobody was in before."""
    return f"test-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def topic(broker: Broker, group: str) -> Iterator[str]:
    """Have a topic, named like the group, and the one for its dead letters."""
    with broker.topic(group, PARTITIONS) as name:
        yield name


@pytest.fixture(scope="session")
def ledger_settings(stack: Runtime, broker: Broker) -> Iterator[ServiceSettings]:
    """Have a database in the stack's PostgreSQL, and a role that may enter nothing else."""
    name, password = f"events_test_{uuid.uuid4().hex[:8]}", token_hex(16)
    database, role = Identifier(name), Identifier(name)
    with connect(stack) as session:
        session.execute(SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(role, Literal(password)))
        session.execute(SQL("CREATE DATABASE {}").format(database))
    with connect(stack, name) as inside:
        create_tables(inside, name)
    try:
        yield settings_for(url_of(stack, name, name, password), broker.settings)
    finally:
        # In a session of its own: other tests end the server meanwhile.
        with connect(stack) as session:
            session.execute(SQL("DROP DATABASE {} WITH (FORCE)").format(database))
            session.execute(SQL("DROP ROLE {}").format(role))


@pytest_asyncio.fixture
async def ledger(stack: Runtime, ledger_settings: ServiceSettings) -> AsyncIterator[Ledger]:
    """Open the database, without a row in it."""
    url = urllib.parse.urlsplit(ledger_settings.database_url.get_secret_value())
    with connect(stack, url.path.removeprefix("/")) as session:
        session.execute("TRUNCATE effects, inbox, parked_events")
    async with Database.open(ledger_settings) as database:
        yield Ledger(database, ledger_settings)


@pytest.fixture(scope="session")
def postgres(programs: components.Components) -> Iterator[Postgres]:
    """Run another PostgreSQL, which may be stopped, and whose databases no service looks into."""
    server = Postgres(Runtime.load(CHECKOUT, os.environ), programs)
    try:
        server.install()
        with server.superuser("order") as session:
            create_tables(session, secrets.app_role("order"))
        yield server
    finally:
        server.remove()
