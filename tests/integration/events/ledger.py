"""A consumer of the tests: it writes a row for every effect, so that a lost or doubled one is seen."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from psycopg.sql import SQL, Identifier

from deploy.native.provision.postgres import Connection as Session
from services.common.consumer import Connection, Consumer, ReceivedEvent
from services.common.database import Database
from services.common.handling import Patience
from services.common.inbox import INBOX_TABLES
from services.common.settings import ServiceSettings
from tests.integration.events.waiting import until

SERVICE = "events-test"
QUICK = Patience(attempts=3, first_pause=0.05, longest_pause=0.2)
"""Gives an event up after a tenth of a second or so."""

STOP_S = 20.0
TABLES = f"""
{INBOX_TABLES}
CREATE TABLE effects (
    number bigint GENERATED ALWAYS AS IDENTITY,
    event_id text NOT NULL,
    key text NOT NULL,
    sequence bigint NOT NULL
);
"""
ENTER = "INSERT INTO effects (event_id, key, sequence) VALUES (%(id)s, %(key)s, %(sequence)s)"

Fault = Exception | type[Exception]


def create_tables(session: Session, role: str) -> None:
    """Make what a consumer's migration makes, and the effects; `role` is what the consumer runs as."""
    session.execute(TABLES.encode())
    session.execute(SQL("GRANT ALL ON ALL TABLES IN SCHEMA public TO {}").format(Identifier(role)))


def settings_for(url: str, kafka: Mapping[str, Any], port: int = 1) -> ServiceSettings:
    """Tell a consumer where everything is; `port` makes its name unlike that of another process.

    `kafka`: the settings that say how to reach it.
    """
    required: dict[str, Any] = {
        "service": SERVICE,
        "port": port,
        "metrics_port": 2,
        "database_url": url,
    }
    return ServiceSettings(**required, **kafka)


def environment_of(settings: ServiceSettings) -> dict[str, str]:
    """Write settings as a process finds them in its environment."""
    return {
        "ORDERMESH_SERVICE": settings.service,
        "ORDERMESH_PORT": str(settings.port),
        "ORDERMESH_METRICS_PORT": str(settings.metrics_port),
        "ORDERMESH_DATABASE_URL": settings.database_url.get_secret_value(),
        "ORDERMESH_KAFKA_BOOTSTRAP": settings.kafka_bootstrap,
        "ORDERMESH_KAFKA_CA": str(settings.kafka_ca or ""),
        "ORDERMESH_KAFKA_USER": settings.kafka_user,
        "ORDERMESH_KAFKA_PASSWORD": settings.kafka_password.get_secret_value(),
    }


@dataclass
class Clerk:
    """The handler. `faults`: by key and sequence, one for each attempt, or one for all of them."""

    faults: dict[tuple[str, int], list[Exception] | Exception] = field(default_factory=dict)
    pause_s: float = 0.0

    async def handle(self, connection: Connection, event: ReceivedEvent) -> None:
        """Have the effect, then fail if told to."""
        values = {"id": event.id, "key": event.subject, "sequence": event.sequence}
        await connection.execute(ENTER, values)
        await asyncio.sleep(self.pause_s)
        fault = self.faults.get((event.subject, event.sequence))
        if isinstance(fault, list):
            fault = fault.pop(0) if fault else None
        if fault is not None:
            raise fault


@dataclass
class Ledger:
    """A database of effects, and consumers that write to it."""

    database: Database
    settings: ServiceSettings

    @asynccontextmanager
    async def consuming(
        self, group: str, topic: str, clerk: Clerk | None = None, patience: Patience = QUICK
    ) -> AsyncIterator[None]:
        """Run a consumer while the body does; it is stopped as a service stops it."""
        handler, stop = (clerk or Clerk()).handle, asyncio.Event()
        consumer = Consumer(self.settings, group, [topic], handler, self.database, patience=patience)
        running = asyncio.create_task(consumer.run(stop))
        try:
            yield
        finally:
            stop.set()
            await asyncio.wait_for(running, STOP_S)

    async def effects(self) -> Mapping[str, list[int]]:
        """Return the sequence numbers that took effect, by key, in the order they did."""
        rows = await self.database.rows(
            "SELECT key, array_agg(sequence ORDER BY number) AS numbers FROM effects GROUP BY key"
        )
        return {row.key: list(row.numbers) for row in rows}

    async def reaches(self, count: int) -> None:
        """Wait until there are so many effects."""
        await until(self.count, lambda found: found >= count)

    async def count(self, table: str = "effects") -> int:
        """Count the rows of a table."""
        return int((await self.database.row(f"SELECT count(*) FROM {table}")).count)  # noqa: S608
