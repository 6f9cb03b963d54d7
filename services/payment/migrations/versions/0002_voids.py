"""Voids are operations too: committed before the gateway is asked, so that no capture begins beside them."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Allow the kind."""
    op.execute("ALTER TABLE operations DROP CONSTRAINT operations_kind_check")
    op.execute(
        "ALTER TABLE operations ADD CONSTRAINT operations_kind_check CHECK (kind IN ('CAPTURE', 'REFUND', 'VOID'))"
    )
