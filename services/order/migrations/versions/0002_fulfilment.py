"""What becomes of an order after it is confirmed: shipments, cancelled lines, returns, refunds; charges; notes.

The code of before goes on beside it: new columns have defaults, and what it writes keeps to the new constraints.
"""

from alembic import op

from services.common import schema

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_ORDERS = """
ALTER TABLE orders
    ADD shipping bigint NOT NULL DEFAULT 0 CHECK (shipping >= 0),
    ADD shipping_tax bigint NOT NULL DEFAULT 0 CHECK (shipping_tax >= 0),
    ADD tax_included boolean NOT NULL DEFAULT false,
    -- Whether one of its parts is being carried out.
    ADD under_way boolean NOT NULL DEFAULT false,
    DROP CONSTRAINT orders_state_check,
    DROP CONSTRAINT orders_confirmed_hold_stock_and_money,
    DROP CONSTRAINT orders_unsettled_are_leased;
ALTER TABLE orders
    ADD CONSTRAINT orders_state_check CHECK (state IN ('PENDING', 'CONFIRMED', 'PARTIALLY_SHIPPED', 'SHIPPED',
        'DELIVERED', 'REJECTED', 'CANCELLING', 'CANCELLED')),
    ADD CONSTRAINT orders_confirmed_hold_stock_and_money
        CHECK (state IN ('PENDING', 'REJECTED', 'CANCELLING', 'CANCELLED')
               OR (payment_id IS NOT NULL AND reservation_id IS NOT NULL)),
    ADD CONSTRAINT orders_unsettled_are_leased
        CHECK ((state IN ('PENDING', 'CANCELLING') OR under_way) = (lease_until IS NOT NULL));
ALTER TABLE order_lines
    ADD tax bigint CHECK (tax >= 0),
    ADD cancelled integer NOT NULL DEFAULT 0 CHECK (cancelled >= 0),
    ADD shipped integer NOT NULL DEFAULT 0 CHECK (shipped >= 0),
    ADD returned integer NOT NULL DEFAULT 0 CHECK (returned >= 0),
    ADD CONSTRAINT order_lines_not_more_than_ordered CHECK (cancelled + shipped <= quantity),
    ADD CONSTRAINT order_lines_not_more_back_than_gone CHECK (returned <= shipped);
"""
_PARTS = """
CREATE TABLE order_parts (
    id uuid PRIMARY KEY,
    order_id uuid NOT NULL REFERENCES orders,
    kind text NOT NULL CHECK (kind IN ('SHIPMENT', 'LINE_CANCELLATION', 'RETURN', 'REFUND')),
    position smallint NOT NULL,
    state text NOT NULL,
    -- In minor units of the order's currency; a return has none of its own.
    amount bigint CHECK (amount >= 0),
    details jsonb NOT NULL,
    -- By what the request is known that asked for it.
    request_id text,
    fingerprint bytea,
    UNIQUE (order_id, kind, position),
    CHECK ((request_id IS NULL) = (fingerprint IS NULL))
);
CREATE UNIQUE INDEX order_parts_once_for_each_request ON order_parts (order_id, request_id)
    WHERE request_id IS NOT NULL;

CREATE TABLE order_notes (
    id uuid PRIMARY KEY,
    order_id uuid NOT NULL REFERENCES orders,
    text text NOT NULL,
    customer_visible boolean NOT NULL,
    author text NOT NULL,
    request_id text,
    create_time timestamptz NOT NULL
);
CREATE INDEX order_notes_of_order ON order_notes (order_id, id);
CREATE UNIQUE INDEX order_notes_once_for_each_request ON order_notes (order_id, request_id)
    WHERE request_id IS NOT NULL;
"""


def upgrade() -> None:
    """Add all of it."""
    op.execute(_ORDERS)
    op.execute(_PARTS)
    schema.grant("order", "UPDATE (cancelled, shipped, returned)", "order_lines")
    schema.grant("order", "SELECT, INSERT, UPDATE", "order_parts")
    schema.grant("order", "SELECT, INSERT", "order_notes")
