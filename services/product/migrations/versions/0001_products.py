"""Products, variants, prices and the events about them."""

from alembic import op

from services.common import schema

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_TABLES = """
CREATE TABLE products (
    id uuid PRIMARY KEY,
    name text NOT NULL,
    description text NOT NULL,
    category text NOT NULL,
    -- The words it is found by, made by the store.
    search tsvector NOT NULL,
    version bigint NOT NULL,
    create_time timestamptz NOT NULL,
    update_time timestamptz NOT NULL
);
CREATE INDEX products_by_word ON products USING gin (search);
CREATE INDEX products_by_category ON products (category, id DESC);

CREATE TABLE variants (
    sku text PRIMARY KEY,
    product_id uuid NOT NULL REFERENCES products,
    position smallint NOT NULL,
    name text NOT NULL,
    attributes jsonb NOT NULL,
    UNIQUE (product_id, position)
);

CREATE TABLE prices (
    sku text NOT NULL REFERENCES variants,
    currency_code text NOT NULL CHECK (currency_code ~ '^[A-Z]{3}$'),
    minor_units bigint NOT NULL CHECK (minor_units > 0),
    PRIMARY KEY (sku, currency_code)
);
"""


def upgrade() -> None:
    """Create everything; see services.common.schema for the events part."""
    op.execute(_TABLES)
    schema.create_events("product")
    schema.grant("product", "SELECT, INSERT, UPDATE", "products", "variants", "prices")
