"""Warehouses, levels, the ledger of movements, reservations and the events about them."""

from alembic import op

from services.common import schema

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_TABLES = """
CREATE TABLE warehouses (
    id uuid PRIMARY KEY,
    code text NOT NULL UNIQUE,
    display_name text NOT NULL,
    priority integer NOT NULL CHECK (priority >= 0)
);

-- One row a SKU; `sequence` numbers the events about it.
CREATE TABLE stock_items (
    sku text PRIMARY KEY,
    sequence bigint NOT NULL
);

CREATE TABLE stock_levels (
    sku text NOT NULL,
    warehouse_id uuid NOT NULL REFERENCES warehouses,
    on_hand bigint NOT NULL CHECK (on_hand >= 0),
    reserved bigint NOT NULL CHECK (reserved >= 0),
    PRIMARY KEY (sku, warehouse_id),
    CONSTRAINT stock_levels_never_oversold CHECK (reserved <= on_hand)
) WITH (fillfactor = 70);

-- Append-only: the sum of a SKU's quantities in a warehouse is what is on hand there.
CREATE TABLE stock_movements (
    id uuid PRIMARY KEY DEFAULT uuidv7(),
    sku text NOT NULL,
    warehouse_id uuid NOT NULL REFERENCES warehouses,
    quantity bigint NOT NULL CHECK (quantity <> 0),
    kind text NOT NULL CHECK (kind IN ('RECEIPT', 'SHIPMENT')),
    reference text,
    request_id text UNIQUE,
    create_time timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX stock_movements_by_sku ON stock_movements (sku, warehouse_id, id);

-- One a request to hold stock, also a refused one (`short` names the SKUs) and one cancelled before it came.
CREATE TABLE reservations (
    id uuid PRIMARY KEY,
    order_id uuid NOT NULL UNIQUE,
    state text NOT NULL CHECK (state IN ('HELD', 'RELEASED', 'COMMITTED')),
    short text[] NOT NULL DEFAULT '{}',
    expire_time timestamptz NOT NULL,
    create_time timestamptz NOT NULL,
    version bigint NOT NULL
);
CREATE INDEX reservations_to_expire ON reservations (expire_time) WHERE state = 'HELD';

CREATE TABLE allocations (
    reservation_id uuid NOT NULL REFERENCES reservations,
    sku text NOT NULL,
    warehouse_id uuid NOT NULL REFERENCES warehouses,
    quantity integer NOT NULL CHECK (quantity > 0),
    PRIMARY KEY (reservation_id, sku, warehouse_id)
);
"""


def upgrade() -> None:
    """Create everything; see services.common.schema for the events part."""
    op.execute(_TABLES)
    schema.create_events("inventory")
    schema.grant("inventory", "SELECT, INSERT", "warehouses", "stock_movements", "allocations")
    schema.grant("inventory", "SELECT, INSERT, UPDATE", "stock_items", "stock_levels", "reservations")
