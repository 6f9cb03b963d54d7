"""What was revoked of late is found without reading all there is, that of service accounts that are gone too."""

from alembic import op

from services.common import schema

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_INDEXES = """
CREATE INDEX sessions_by_end ON sessions (end_time) WHERE end_time IS NOT NULL;
CREATE INDEX users_by_disable_time ON users (disable_time) WHERE disable_time IS NOT NULL;
CREATE INDEX users_by_erase_time ON users (erase_time) WHERE erase_time IS NOT NULL;
CREATE INDEX service_accounts_by_disable_time ON service_accounts (disable_time) WHERE disable_time IS NOT NULL;
"""
_TABLES = """
-- Accounts of which there may be tokens that have not ended. Nothing else is kept of them.
CREATE TABLE deleted_service_accounts (
    id uuid PRIMARY KEY,
    delete_time timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX deleted_service_accounts_by_time ON deleted_service_accounts (delete_time);
"""


def upgrade() -> None:
    """Add to what is there; nothing is taken away."""
    op.execute(_INDEXES)
    op.execute(_TABLES)
    schema.grant("auth", "SELECT, INSERT, DELETE", "deleted_service_accounts")
