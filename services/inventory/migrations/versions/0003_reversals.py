"""Shipments that did not come about are taken back in the ledger.

Code of revision 0002 still runs on it: it books no reversals, and reads none.
"""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_LEDGER = """
ALTER TABLE stock_movements
    DROP CONSTRAINT stock_movements_kind_check,
    ADD CONSTRAINT stock_movements_kind_check CHECK (
        kind IN (
            'RECEIPT', 'SHIPMENT', 'ADJUSTMENT', 'TRANSFER_OUT', 'TRANSFER_IN', 'COUNT', 'RETURN', 'SHIPMENT_REVERSAL'
        )
    );
-- What a reversal takes back.
CREATE INDEX stock_movements_shipments ON stock_movements (reference, request_id) WHERE kind = 'SHIPMENT';
"""


def upgrade() -> None:
    """Allow the new kind."""
    op.execute(_LEDGER)
