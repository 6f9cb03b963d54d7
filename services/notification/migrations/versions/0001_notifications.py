"""Notifications, the attempts to deliver them, the events about them, and the inbox of what causes them."""

from alembic import op

from services.common import schema

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_TABLES = """
CREATE TABLE notifications (
    id uuid PRIMARY KEY,
    order_id uuid NOT NULL,
    customer_id uuid NOT NULL,
    channel text NOT NULL CHECK (channel IN ('EMAIL')),
    template text NOT NULL,
    content jsonb NOT NULL,
    state text NOT NULL CHECK (state IN ('PENDING', 'SENT', 'FAILED')),
    version bigint NOT NULL,
    request_id text NOT NULL,
    traceparent text NOT NULL,
    -- When a worker may take it: whoever does puts this off for as long as its lease lasts.
    due_time timestamptz,
    create_time timestamptz NOT NULL,
    update_time timestamptz NOT NULL,
    CONSTRAINT notifications_pending_are_due CHECK ((state = 'PENDING') = (due_time IS NOT NULL))
) WITH (fillfactor = 70);
CREATE INDEX notifications_by_customer ON notifications (customer_id, id DESC);
CREATE INDEX notifications_by_order ON notifications (order_id, id DESC);
CREATE INDEX notifications_due ON notifications (due_time) WHERE due_time IS NOT NULL;

-- Append-only.
CREATE TABLE delivery_attempts (
    notification_id uuid NOT NULL REFERENCES notifications,
    number integer NOT NULL CHECK (number > 0),
    delivered boolean NOT NULL,
    detail text NOT NULL,
    attempt_time timestamptz NOT NULL,
    PRIMARY KEY (notification_id, number)
);
"""


def upgrade() -> None:
    """Create everything; see services.common.schema for the events and inbox parts."""
    op.execute(_TABLES)
    schema.create_events("notification")
    schema.create_inbox("notification")
    schema.grant("notification", "SELECT, INSERT", "delivery_attempts")
    schema.grant("notification", "SELECT, INSERT, UPDATE", "notifications")
