"""`make republish [s=order]`: events that Kafka does not have are published again, from the table that keeps them.

For after a replication slot was lost or dropped: what it kept is still in `events`, and Debezium reads only what is
written. So each missing event is taken out and written as it was, in one transaction, and goes the way of every other.
It keeps its id and its time, but comes after later events of its key. Nobody who knows events by their ids hears of one
twice, whoever runs this, and however often.
"""

from collections.abc import Sequence
from functools import partial

import psycopg

from deploy.native import command_line
from deploy.native.audit import lasting, published
from deploy.native.audit.rules import Difference
from deploy.native.errors import StackError
from deploy.native.provision import postgres
from deploy.native.runtime import Runtime

_AGAIN = """
WITH taken AS (DELETE FROM events WHERE id = ANY(%s::uuid[]) RETURNING *)
INSERT INTO events SELECT * FROM taken ORDER BY id
"""


def command(argv: Sequence[str]) -> None:
    """Publish again what is missing, of one service or of all."""
    parser = command_line.parser("republish", __doc__)
    parser.add_argument("service", nargs="?", help="whose events; all unless said")
    options = parser.parse_args(argv)
    runtime = command_line.this_stack()
    services = runtime.topology.services
    if options.service and options.service not in services:
        raise StackError(f"whose events? s=order; there are: {', '.join(services)}")
    for service in [options.service] if options.service else services:
        count = republish(runtime, service, [each.id for each in lasting(partial(_missing, runtime, service))])
        print(f"{service}: {f'{count} events are on their way; make audit' if count else 'Kafka has every event'}")


def republish(runtime: Runtime, service: str, ids: Sequence[str]) -> int:
    """Write events anew, the oldest first, so that they are published again; answers how many.

    Raises StackError without a slot to hear of them.
    """
    if not ids:
        return 0
    slot = postgres.slot_name(service)
    with postgres.connect(runtime, runtime.topology.services[service].database) as connection:
        if not _keeps(connection, slot):
            raise StackError(f"there is no slot {slot} that would hear of them; make up makes one")
        return connection.execute(_AGAIN, [list(ids)]).rowcount


def _missing(runtime: Runtime, service: str) -> set[Difference]:
    found = published.compare(runtime, service)
    return {Difference("event", event_id, kind) for event_id, kind in found.missing.items()}


def _keeps(connection: psycopg.Connection, slot: str) -> bool:
    """Tell whether a slot is there and not given up."""
    asked = "SELECT FROM pg_replication_slots WHERE slot_name = %s AND wal_status <> 'lost'"
    return connection.execute(asked, [slot]).fetchone() is not None
