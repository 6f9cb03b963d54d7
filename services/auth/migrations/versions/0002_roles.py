"""Roles and their permissions, users who are locked out, service accounts, revoked tokens, and when keys sign."""

from alembic import op

from services.common import schema

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_TABLES = """
CREATE TABLE roles (
    name text PRIMARY KEY,
    -- Events go by it: a name may be used again.
    id uuid NOT NULL UNIQUE DEFAULT uuidv7(),
    description text NOT NULL,
    built_in boolean NOT NULL DEFAULT false,
    version bigint NOT NULL DEFAULT 0,
    create_time timestamptz NOT NULL DEFAULT now(),
    update_time timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE role_permissions (
    role text NOT NULL REFERENCES roles ON DELETE CASCADE,
    permission text NOT NULL,
    PRIMARY KEY (role, permission)
);

ALTER TABLE users ADD COLUMN disable_time timestamptz;
-- Who has a role, asked when one is deleted and when an admin goes.
CREATE INDEX users_roles ON users USING gin (roles);

CREATE TABLE service_accounts (
    id uuid PRIMARY KEY,
    display_name text NOT NULL,
    roles text[] NOT NULL,
    permissions text[] NOT NULL,
    disable_time timestamptz,
    version bigint NOT NULL,
    create_time timestamptz NOT NULL,
    -- When an event last told of somebody who could not prove to be it.
    failure_time timestamptz
);

CREATE TABLE service_account_secrets (
    id uuid PRIMARY KEY,
    service_account_id uuid NOT NULL REFERENCES service_accounts ON DELETE CASCADE,
    -- SHA-256: the secrets are 256 random bits, which nobody can try.
    digest bytea NOT NULL,
    hint text NOT NULL,
    create_time timestamptz NOT NULL,
    expire_time timestamptz
);
CREATE INDEX service_account_secrets_of ON service_account_secrets (service_account_id);

-- Tokens that were revoked and have not ended by themselves.
CREATE TABLE revoked_tokens (
    id text PRIMARY KEY,
    expire_time timestamptz NOT NULL
);
CREATE INDEX revoked_tokens_expire_time ON revoked_tokens (expire_time);

-- When a key begins to sign, and by which secret it is sealed: '' is the one there was when it was made.
ALTER TABLE signing_keys ADD COLUMN sign_time timestamptz, ADD COLUMN sealed_by text NOT NULL DEFAULT '';
UPDATE signing_keys SET sign_time = create_time;
ALTER TABLE signing_keys ALTER COLUMN sign_time SET NOT NULL, ALTER COLUMN sign_time SET DEFAULT now();
"""

_CUSTOMER = (
    "account.read", "orders.create", "orders.read", "orders.cancel", "orders.return", "payments.read",
    "notifications.read",
)  # fmt: skip
_SUPPORT = (
    *_CUSTOMER, "orders.manage", "orders.ship", "orders.refund", "payments.manage", "notifications.manage",
    "inventory.read",
)  # fmt: skip
_ADMIN = (*_SUPPORT, "products.write", "inventory.write", "users.manage", "roles.manage", "clients.manage")
_ROLES = {
    "customer": ("Buys, and sees their own", _CUSTOMER),
    "support": ("Helps customers with their orders", _SUPPORT),
    "admin": ("Looks after everything", _ADMIN),
}


def upgrade() -> None:
    """Create everything, with the roles that there were."""
    op.execute(_TABLES)
    for name, (description, permissions) in _ROLES.items():
        op.execute(f"INSERT INTO roles (name, description, built_in) VALUES ('{name}', '{description}', true)")  # noqa: S608 - constants only
        held = ", ".join(f"('{name}', '{permission}')" for permission in permissions)
        op.execute(f"INSERT INTO role_permissions VALUES {held}")  # noqa: S608 - as above
    everything = "SELECT, INSERT, UPDATE, DELETE"
    schema.grant("auth", everything, "roles", "role_permissions", "service_accounts", "service_account_secrets")
    schema.grant("auth", everything, "revoked_tokens", "signing_keys")
