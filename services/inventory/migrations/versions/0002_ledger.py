"""Policies, backorders, and reservations that leave, are released and return in parts; the stock stream's publication.

Code of revision 0001 still runs on it, as long as nobody has set a policy: it knows of whole reservations only, and
all that it settles is counted as settled by the reservation's state.
"""

from alembic import op

from services.common import schema

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_WAREHOUSES = """
ALTER TABLE warehouses
    ADD COLUMN zone text NOT NULL DEFAULT '',
    ADD COLUMN region_codes text[] NOT NULL DEFAULT '{}',
    ADD COLUMN latitude double precision CHECK (latitude BETWEEN -90 AND 90),
    ADD COLUMN longitude double precision CHECK (longitude BETWEEN -180 AND 180),
    ADD CONSTRAINT warehouses_location CHECK ((latitude IS NULL) = (longitude IS NULL));
"""
_POLICIES = """
-- What levels to come begin with.
ALTER TABLE stock_items
    ADD COLUMN safety_stock bigint NOT NULL DEFAULT 0 CHECK (safety_stock >= 0),
    ADD COLUMN backorder_limit bigint NOT NULL DEFAULT 0 CHECK (backorder_limit >= 0),
    ADD COLUMN low_stock_threshold bigint CHECK (low_stock_threshold >= 0);

-- `low` is what was told last. Who crosses the threshold without telling fails, so that no statement on the way of an
-- order has to look.
ALTER TABLE stock_levels
    ADD COLUMN backordered bigint NOT NULL DEFAULT 0 CHECK (backordered >= 0),
    ADD COLUMN safety_stock bigint NOT NULL DEFAULT 0 CHECK (safety_stock >= 0),
    ADD COLUMN backorder_limit bigint NOT NULL DEFAULT 0 CHECK (backorder_limit >= 0),
    ADD COLUMN low_stock_threshold bigint CHECK (low_stock_threshold >= 0),
    ADD COLUMN low boolean NOT NULL DEFAULT false,
    ADD CONSTRAINT stock_levels_low_is_told
        CHECK (low = coalesce(on_hand - reserved - safety_stock <= low_stock_threshold, false)),
    ADD CONSTRAINT stock_levels_nobody_waits_for_what_is_there
        CHECK (backordered = 0 OR on_hand - reserved <= safety_stock);
"""
_LEDGER = """
ALTER TABLE stock_movements
    DROP CONSTRAINT stock_movements_kind_check,
    ADD CONSTRAINT stock_movements_kind_check CHECK (
        kind IN ('RECEIPT', 'SHIPMENT', 'ADJUSTMENT', 'TRANSFER_OUT', 'TRANSFER_IN', 'COUNT', 'RETURN')
    ),
    ADD COLUMN reason text NOT NULL DEFAULT '',
    ADD COLUMN note text NOT NULL DEFAULT '',
    ADD COLUMN actor text NOT NULL DEFAULT '',
    DROP CONSTRAINT stock_movements_request_id_key;
CREATE UNIQUE INDEX stock_movements_receipts ON stock_movements (request_id) WHERE kind = 'RECEIPT';

-- What was done already, by the id its caller gave it: unique for an order, or, where `scope` is empty, everywhere.
CREATE TABLE stock_requests (
    scope text NOT NULL,
    request_id text NOT NULL,
    fingerprint bytea NOT NULL,
    create_time timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (scope, request_id)
);
"""
_RESERVATIONS = """
-- A worker that asks what became of the order has it until `lease_until`.
ALTER TABLE reservations
    ADD COLUMN firm boolean NOT NULL DEFAULT false,
    ADD COLUMN lease_until timestamptz;
DROP INDEX reservations_to_expire;
CREATE INDEX reservations_open ON reservations (firm, expire_time) WHERE state = 'HELD';

ALTER TABLE allocations
    ADD COLUMN backordered integer NOT NULL DEFAULT 0 CHECK (backordered >= 0),
    ADD COLUMN committed integer NOT NULL DEFAULT 0 CHECK (committed >= 0),
    ADD COLUMN released integer NOT NULL DEFAULT 0 CHECK (released >= 0),
    ADD COLUMN returned integer NOT NULL DEFAULT 0 CHECK (returned >= 0),
    ADD CONSTRAINT allocations_moved_once CHECK (backordered + committed + released <= quantity),
    ADD CONSTRAINT allocations_returned_after_they_left CHECK (returned <= committed);
CREATE INDEX allocations_backordered ON allocations (sku, warehouse_id, reservation_id) WHERE backordered > 0;
UPDATE allocations a SET
    committed = CASE WHEN r.state = 'COMMITTED' THEN a.quantity ELSE 0 END,
    released = CASE WHEN r.state = 'RELEASED' THEN a.quantity ELSE 0 END
FROM reservations r WHERE r.id = a.reservation_id AND r.state <> 'HELD';
"""
# The topic `inventory-stock` (docs/inventory.md): every column is what others may build on.
_STREAM = "CREATE PUBLICATION inventory_stock FOR TABLE stock_levels"


def upgrade() -> None:
    """Widen the tables; the ledger and what was asked can be added to, and never changed."""
    for statements in (_WAREHOUSES, _POLICIES, _LEDGER, _RESERVATIONS, _STREAM):
        op.execute(statements)
    op.execute(f"GRANT SELECT ON stock_levels TO {schema.CHANGE_CAPTURE_ROLE}")
    schema.grant("inventory", "SELECT, INSERT", "stock_requests")
    schema.grant("inventory", "UPDATE", "warehouses")
    schema.grant("inventory", "UPDATE (backordered, committed, released, returned)", "allocations")
