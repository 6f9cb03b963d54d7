"""Several gateways: holds that expire, movements that fail later, disputes, webhooks, reconciliation.

Ledger and row are held to each other by the database.
"""

from alembic import op

from services.common import schema

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_PAYMENTS = """
ALTER TABLE payments
    ADD voided bigint NOT NULL DEFAULT 0,
    ADD charged_back bigint NOT NULL DEFAULT 0,
    ADD expire_time timestamptz,
    -- As what a PENDING payment is being ended with nothing held: it can no longer become AUTHORIZED.
    ADD ending text CHECK (ending IN ('VOIDED', 'FAILED')),
    DROP CONSTRAINT payments_state_check,
    DROP CONSTRAINT payments_move_no_more_than_there_is,
    DROP CONSTRAINT payments_voided_took_nothing;
UPDATE payments SET voided = authorized WHERE state = 'VOIDED';
ALTER TABLE payments
    ADD CONSTRAINT payments_state_check
        CHECK (state IN ('PENDING', 'AUTHORIZED', 'CAPTURED', 'VOIDED', 'FAILED', 'EXPIRED')),
    ADD CONSTRAINT payments_move_no_more_than_there_is CHECK (
        0 <= refunded AND refunded <= captured AND 0 <= voided AND captured + voided <= authorized
        AND authorized <= amount AND 0 <= charged_back),
    ADD CONSTRAINT payments_ended_took_nothing
        CHECK (state NOT IN ('VOIDED', 'EXPIRED') OR (captured = 0 AND voided = authorized));
-- What a worker may have to look at: payments without an answer, and holds, by when they run out.
DROP INDEX payments_pending;
CREATE INDEX payments_unfinished ON payments (coalesce(expire_time, create_time))
    WHERE state = 'PENDING' OR authorized > captured + voided;
CREATE INDEX payments_by_reference ON payments (gateway_reference) WHERE gateway_reference <> '';
"""
_LEDGER = """
ALTER TABLE ledger_entries
    ADD gateway_reference text NOT NULL DEFAULT '',
    ADD operation_id uuid REFERENCES operations,
    DROP CONSTRAINT ledger_entries_kind_check,
    ADD CONSTRAINT ledger_entries_kind_check CHECK (kind IN ('AUTHORIZATION', 'CAPTURE', 'VOID', 'REFUND', 'EXPIRY',
        'CAPTURE_REVERSAL', 'REFUND_REVERSAL', 'CHARGEBACK', 'CHARGEBACK_REVERSAL'));
-- Each once, however often it is told.
CREATE UNIQUE INDEX ledger_entries_one_for_each_operation ON ledger_entries (operation_id, kind)
    WHERE operation_id IS NOT NULL;
CREATE UNIQUE INDEX ledger_entries_one_for_each_chargeback ON ledger_entries (payment_id, kind, gateway_reference)
    WHERE kind IN ('CHARGEBACK', 'CHARGEBACK_REVERSAL');
-- For reconciliation: what moved in a period.
CREATE INDEX ledger_entries_settled ON ledger_entries (create_time)
    WHERE kind IN ('CAPTURE', 'REFUND', 'CHARGEBACK', 'CHARGEBACK_REVERSAL');

ALTER TABLE operations
    ADD final boolean NOT NULL DEFAULT false,
    ADD refusal text NOT NULL DEFAULT '',
    DROP CONSTRAINT operations_kind_check,
    ADD CONSTRAINT operations_kind_check CHECK (kind IN ('CAPTURE', 'REFUND', 'VOID', 'EXPIRY'));
"""
# The authorization itself is left out of both triggers: it is the first entry, so that there is nothing to add up, and
# placing an order pays for none of this.
_INVARIANTS = """
CREATE FUNCTION require_balance(payment uuid) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    stated payments;
    booked record;
BEGIN
    SELECT * INTO stated FROM payments WHERE id = payment FOR NO KEY UPDATE;
    SELECT coalesce(sum(amount) FILTER (WHERE kind = 'AUTHORIZATION'), 0) AS authorized,
           coalesce(sum(CASE kind WHEN 'CAPTURE' THEN amount WHEN 'CAPTURE_REVERSAL' THEN -amount END), 0) AS captured,
           coalesce(sum(CASE kind WHEN 'REFUND' THEN amount WHEN 'REFUND_REVERSAL' THEN -amount END), 0) AS refunded,
           coalesce(sum(amount) FILTER (WHERE kind IN ('VOID', 'EXPIRY')), 0) AS voided,
           coalesce(sum(CASE kind WHEN 'CHARGEBACK' THEN amount WHEN 'CHARGEBACK_REVERSAL' THEN -amount END), 0)
               AS charged_back
    INTO booked FROM ledger_entries WHERE payment_id = payment;
    IF booked.captured + booked.voided > booked.authorized OR booked.refunded > booked.captured
        OR (booked.authorized, booked.captured, booked.refunded, booked.voided, booked.charged_back)
           IS DISTINCT FROM (stated.authorized::numeric, stated.captured::numeric, stated.refunded::numeric,
                             stated.voided::numeric, stated.charged_back::numeric)
    THEN
        RAISE EXCEPTION 'payment % does not balance with its ledger', payment
            USING ERRCODE = 'check_violation', CONSTRAINT = 'payments_balance_with_ledger';
    END IF;
END $$;

CREATE FUNCTION require_balance_of_entry() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM require_balance(NEW.payment_id);
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER ledger_entries_balance AFTER INSERT ON ledger_entries DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (NEW.kind <> 'AUTHORIZATION') EXECUTE FUNCTION require_balance_of_entry();

CREATE FUNCTION require_balance_of_payment() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM require_balance(NEW.id);
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER payments_balance AFTER UPDATE ON payments DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (OLD.captured <> NEW.captured OR OLD.refunded <> NEW.refunded OR OLD.voided <> NEW.voided
                       OR OLD.charged_back <> NEW.charged_back)
    EXECUTE FUNCTION require_balance_of_payment();
"""
_TABLES = """
CREATE TABLE disputes (
    id uuid PRIMARY KEY,
    payment_id uuid NOT NULL REFERENCES payments,
    gateway_reference text NOT NULL,
    state text NOT NULL CHECK (state IN ('OPEN', 'WON', 'LOST')),
    amount bigint NOT NULL CHECK (amount > 0),
    reason text NOT NULL,
    create_time timestamptz NOT NULL,
    update_time timestamptz NOT NULL,
    UNIQUE (payment_id, gateway_reference)
);

-- Stored before they are acted upon; the content is the gateway's, as it was signed.
CREATE TABLE webhook_deliveries (
    id uuid PRIMARY KEY,
    gateway text NOT NULL,
    event_id text NOT NULL,
    type text NOT NULL,
    content bytea NOT NULL,
    state text NOT NULL DEFAULT 'RECEIVED' CHECK (state IN ('RECEIVED', 'PROCESSED', 'IGNORED', 'FAILED')),
    attempts int NOT NULL DEFAULT 0,
    failure_reason text NOT NULL DEFAULT '',
    next_attempt_time timestamptz NOT NULL DEFAULT now(),
    create_time timestamptz NOT NULL DEFAULT now(),
    update_time timestamptz NOT NULL DEFAULT now(),
    UNIQUE (gateway, event_id)
);
CREATE INDEX webhook_deliveries_waiting ON webhook_deliveries (next_attempt_time) WHERE state = 'RECEIVED';
CREATE INDEX webhook_deliveries_finished ON webhook_deliveries (update_time) WHERE state IN ('PROCESSED', 'IGNORED');

CREATE TABLE reconciliations (
    id uuid PRIMARY KEY,
    gateway text NOT NULL,
    source text NOT NULL CHECK (source IN ('FILE', 'GATEWAY')),
    start_time timestamptz NOT NULL,
    end_time timestamptz NOT NULL CHECK (start_time < end_time),
    settled_count bigint NOT NULL DEFAULT 0,
    matched_count bigint NOT NULL DEFAULT 0,
    difference_count bigint NOT NULL DEFAULT 0,
    create_time timestamptz NOT NULL DEFAULT now()
);
-- How far the schedule has come.
CREATE INDEX reconciliations_by_schedule ON reconciliations (gateway, end_time DESC) WHERE source = 'GATEWAY';
-- The gateway's side while it is compared; empty otherwise.
CREATE UNLOGGED TABLE settlement_rows (
    reconciliation_id uuid NOT NULL,
    position bigint GENERATED ALWAYS AS IDENTITY,
    id text NOT NULL,
    kind text NOT NULL,
    reference text NOT NULL,
    amount bigint NOT NULL,
    currency_code text NOT NULL
);
CREATE INDEX settlement_rows_by_reconciliation ON settlement_rows (reconciliation_id);
CREATE TABLE settlement_differences (
    id uuid PRIMARY KEY DEFAULT uuidv7(),
    reconciliation_id uuid NOT NULL REFERENCES reconciliations,
    kind text NOT NULL CHECK (kind IN ('MISSING_IN_LEDGER', 'MISSING_IN_SETTLEMENT', 'AMOUNT_DIFFERS',
                                       'CURRENCY_DIFFERS', 'DUPLICATE')),
    payment_id uuid,
    movement text NOT NULL,
    gateway_reference text NOT NULL,
    ledger_amount bigint,
    ledger_currency_code text,
    settled_amount bigint,
    settled_currency_code text,
    note text NOT NULL DEFAULT '',
    resolved_by text NOT NULL DEFAULT '',
    resolve_time timestamptz
);
CREATE INDEX settlement_differences_by_reconciliation ON settlement_differences (reconciliation_id, id);
CREATE INDEX settlement_differences_open ON settlement_differences (id) WHERE resolve_time IS NULL;

ALTER TABLE sandbox_charges ADD create_time timestamptz NOT NULL DEFAULT now();
ALTER TABLE sandbox_movements ADD create_time timestamptz NOT NULL DEFAULT now();
"""


def upgrade() -> None:
    """Create everything. The ledger stays append-only; deliveries are forgotten after a while."""
    for statements in (_PAYMENTS, _LEDGER, _INVARIANTS, _TABLES):
        op.execute(statements)
    schema.grant("payment", "SELECT, INSERT, UPDATE", "disputes", "reconciliations", "settlement_differences")
    schema.grant("payment", "SELECT, INSERT, UPDATE, DELETE", "webhook_deliveries")
    schema.grant("payment", "SELECT, INSERT, DELETE", "settlement_rows")
