"""What migrations of every service have in common: the events table, its publication, the inbox, and grants.

A migration runs as `<service>_owner`; the service itself is `<service>_app` and may do only what is granted here.
"""

from alembic import op

from services.common.inbox import INBOX_GRANTS, INBOX_TABLES

CHANGE_CAPTURE_ROLE = "debezium"

_EVENTS = """
CREATE TABLE events (
    id uuid PRIMARY KEY DEFAULT uuidv7(),
    aggregate_type text NOT NULL,
    aggregate_id text NOT NULL,
    sequence bigint NOT NULL CHECK (sequence > 0),
    type text NOT NULL,
    payload bytea NOT NULL,
    traceparent text,
    actor text NOT NULL,
    request_id text,
    occurred_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- Also the optimistic lock: of two writers who read the same state, one fails here.
    CONSTRAINT events_one_for_each_sequence UNIQUE (aggregate_id, sequence)
);
"""


def create_events(service: str) -> None:
    """Create the events table, append-only for the service, and the publication Debezium reads."""
    op.execute(_EVENTS)
    op.execute(f"CREATE PUBLICATION {service}_events FOR TABLE events WITH (publish = 'insert')")
    op.execute(f"GRANT SELECT ON events TO {CHANGE_CAPTURE_ROLE}")
    grant(service, "SELECT, INSERT", "events")
    # Health asks whether the schema is new enough.
    grant(service, "SELECT", "alembic_version")


def create_inbox(service: str) -> None:
    """Create what a consumer of events remembers; see services.common.inbox."""
    op.execute(INBOX_TABLES)
    for table, privileges in INBOX_GRANTS.items():
        grant(service, privileges, table)


def grant(service: str, privileges: str, *tables: str) -> None:
    """Let the service do as much with its tables, and no more."""
    op.execute(f"GRANT {privileges} ON {', '.join(tables)} TO {service}_app")
