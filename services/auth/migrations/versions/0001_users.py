"""Users, their passwords' hashes, signing keys and the events about users."""

from alembic import op

from services.common import schema

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_TABLES = """
CREATE TABLE users (
    id uuid PRIMARY KEY,
    email text NOT NULL,
    -- What an email is told apart by; made by the domain.
    canonical_email text NOT NULL UNIQUE,
    display_name text NOT NULL,
    roles text[] NOT NULL,
    password_hash text NOT NULL,
    version bigint NOT NULL,
    create_time timestamptz NOT NULL
);

CREATE TABLE signing_keys (
    id text PRIMARY KEY,
    public_key text NOT NULL,
    sealed_private_key bytea NOT NULL,
    create_time timestamptz NOT NULL
);
"""


def upgrade() -> None:
    """Create everything; see services.common.schema for the events part."""
    op.execute(_TABLES)
    schema.create_events("auth")
    schema.grant("auth", "SELECT, INSERT, UPDATE", "users")
    schema.grant("auth", "SELECT, INSERT", "signing_keys")
