"""Payments, their ledger, operations under way, the sandbox gateway's accounts, and the events about payments."""

from alembic import op

from services.common import schema

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_TABLES = """
CREATE TABLE payments (
    id uuid PRIMARY KEY,
    order_id uuid NOT NULL UNIQUE,
    customer_id uuid,
    state text NOT NULL CHECK (state IN ('PENDING', 'AUTHORIZED', 'CAPTURED', 'VOIDED', 'FAILED')),
    currency_code text NOT NULL CHECK (currency_code ~ '^[A-Z]{3}$'),
    amount bigint NOT NULL CHECK (amount >= 0),
    authorized bigint NOT NULL DEFAULT 0,
    captured bigint NOT NULL DEFAULT 0,
    refunded bigint NOT NULL DEFAULT 0,
    gateway text NOT NULL,
    gateway_reference text NOT NULL DEFAULT '',
    failure_reason text NOT NULL DEFAULT '',
    version bigint NOT NULL,
    create_time timestamptz NOT NULL,
    update_time timestamptz NOT NULL,
    CONSTRAINT payments_move_no_more_than_there_is
        CHECK (0 <= refunded AND refunded <= captured AND captured <= authorized AND authorized <= amount),
    CONSTRAINT payments_voided_took_nothing CHECK (state <> 'VOIDED' OR captured = 0),
    CONSTRAINT payments_failed_hold_nothing CHECK (state <> 'FAILED' OR (authorized = 0 AND failure_reason <> ''))
) WITH (fillfactor = 70);
CREATE INDEX payments_by_customer ON payments (customer_id, id DESC);
CREATE INDEX payments_pending ON payments (create_time) WHERE state = 'PENDING';

-- Append-only.
CREATE TABLE ledger_entries (
    id uuid PRIMARY KEY DEFAULT uuidv7(),
    payment_id uuid NOT NULL REFERENCES payments,
    kind text NOT NULL CHECK (kind IN ('AUTHORIZATION', 'CAPTURE', 'VOID', 'REFUND')),
    amount bigint NOT NULL CHECK (amount > 0),
    create_time timestamptz NOT NULL
);
CREATE INDEX ledger_entries_by_payment ON ledger_entries (payment_id, id);

-- Captures and refunds: committed before the gateway is asked, done once its answer is in the ledger.
CREATE TABLE operations (
    id uuid PRIMARY KEY,
    payment_id uuid NOT NULL REFERENCES payments,
    kind text NOT NULL CHECK (kind IN ('CAPTURE', 'REFUND')),
    amount bigint NOT NULL CHECK (amount > 0),
    request_id text,
    done boolean NOT NULL DEFAULT false,
    create_time timestamptz NOT NULL DEFAULT now(),
    UNIQUE (payment_id, kind, request_id)
);
CREATE INDEX operations_open ON operations (create_time) WHERE NOT done;

-- The memory of the sandbox gateway, which stands for a system of somebody else: only its adapter reads it.
CREATE TABLE sandbox_charges (
    key text PRIMARY KEY,
    reference text NOT NULL,
    amount bigint NOT NULL,
    currency_code text NOT NULL,
    declined text,
    closed boolean NOT NULL DEFAULT false
);
CREATE TABLE sandbox_movements (
    key text PRIMARY KEY,
    reference text NOT NULL,
    kind text NOT NULL,
    amount bigint NOT NULL
);
"""


def upgrade() -> None:
    """Create everything; see services.common.schema for the events part."""
    op.execute(_TABLES)
    schema.create_events("payment")
    schema.grant("payment", "SELECT, INSERT", "ledger_entries", "sandbox_movements")
    schema.grant("payment", "SELECT, INSERT, UPDATE", "payments", "operations", "sandbox_charges")
