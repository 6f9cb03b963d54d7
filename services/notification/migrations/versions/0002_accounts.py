"""Notifications about accounts, which are about no order; and the erasure of what was said to somebody."""

from alembic import op

from services.common import schema

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing is taken away; an older instance reads an order's id that is NULL as none."""
    op.execute("ALTER TABLE notifications ALTER COLUMN order_id DROP NOT NULL")
    schema.grant("notification", "UPDATE (detail)", "delivery_attempts")
