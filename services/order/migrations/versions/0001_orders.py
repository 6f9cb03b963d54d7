"""Orders, their lines, idempotency keys and the events about them."""

from alembic import op

from services.common import schema

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_TABLES = """
CREATE TABLE orders (
    id uuid PRIMARY KEY,
    customer_id uuid NOT NULL,
    state text NOT NULL CHECK (state IN ('PENDING', 'CONFIRMED', 'REJECTED', 'CANCELLING', 'CANCELLED')),
    currency_code text NOT NULL CHECK (currency_code ~ '^[A-Z]{3}$'),
    total bigint NOT NULL CHECK (total > 0),
    shipping_address jsonb NOT NULL,
    payment_id uuid,
    reservation_id uuid,
    rejection_reason text,
    rejection_message text,
    cancel_reason text NOT NULL DEFAULT '',
    version bigint NOT NULL,
    create_time timestamptz NOT NULL,
    update_time timestamptz NOT NULL,
    -- What driving the order needs, gone once it is settled.
    payment_token text,
    lease_until timestamptz,
    CONSTRAINT orders_confirmed_hold_stock_and_money
        CHECK (state <> 'CONFIRMED' OR (payment_id IS NOT NULL AND reservation_id IS NOT NULL)),
    CONSTRAINT orders_rejected_say_why CHECK ((state = 'REJECTED') = (rejection_reason IS NOT NULL)),
    CONSTRAINT orders_unsettled_are_leased
        CHECK ((state IN ('PENDING', 'CANCELLING')) = (lease_until IS NOT NULL))
) WITH (fillfactor = 70);
CREATE INDEX orders_by_customer ON orders (customer_id, id DESC);
CREATE INDEX orders_by_state ON orders (state, id DESC);
CREATE INDEX orders_unsettled ON orders (lease_until) WHERE lease_until IS NOT NULL;

CREATE TABLE order_lines (
    order_id uuid NOT NULL REFERENCES orders,
    position smallint NOT NULL,
    sku text NOT NULL,
    quantity integer NOT NULL CHECK (quantity > 0),
    product_id uuid NOT NULL,
    name text NOT NULL,
    unit_price bigint NOT NULL CHECK (unit_price >= 0),
    PRIMARY KEY (order_id, position)
);

CREATE TABLE idempotency_keys (
    customer_id uuid NOT NULL,
    key text NOT NULL,
    fingerprint bytea NOT NULL,
    order_id uuid NOT NULL,
    create_time timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (customer_id, key)
);
"""


def upgrade() -> None:
    """Create everything; see services.common.schema for the events part."""
    op.execute(_TABLES)
    schema.create_events("order")
    schema.grant("order", "SELECT, INSERT", "order_lines", "idempotency_keys")
    schema.grant("order", "SELECT, INSERT, UPDATE", "orders")
