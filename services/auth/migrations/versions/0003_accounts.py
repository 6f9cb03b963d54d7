"""Sessions, one-time codes, second factors, counted attempts, and personal data that is sealed.

What is in clear is sealed by the service when it starts (services/auth/upkeep.py), since only it has the keys. An
older instance that still runs cannot read users that a newer one has sealed: it answers INTERNAL for them.
"""

from alembic import op

from services.common import schema

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_USERS = """
ALTER TABLE users
    ALTER COLUMN email DROP NOT NULL,
    ALTER COLUMN canonical_email DROP NOT NULL,
    ALTER COLUMN display_name DROP NOT NULL,
    -- Email and name, sealed by the key that is named beside. NULL: still in clear, or erased.
    ADD COLUMN personal_data bytea,
    ADD COLUMN data_key text,
    -- By which a user is found: a keyed digest of the canonical email.
    ADD COLUMN email_digest bytea UNIQUE,
    ADD COLUMN verify_time timestamptz,
    ADD COLUMN erase_time timestamptz,
    ADD CONSTRAINT users_sealed_by_a_key CHECK ((personal_data IS NULL) = (data_key IS NULL));
"""

_TABLES = """
-- One login. A refresh token has two halves: the first names the session, the second changes each time.
CREATE TABLE sessions (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users,
    family_hash bytea NOT NULL UNIQUE,
    token_hash bytea NOT NULL,
    previous_hash bytea,
    -- Address and user agent, sealed.
    client bytea NOT NULL,
    data_key text NOT NULL,
    create_time timestamptz NOT NULL,
    last_used_time timestamptz NOT NULL,
    -- Moves with each refresh, but never beyond latest_time.
    expire_time timestamptz NOT NULL,
    latest_time timestamptz NOT NULL,
    end_time timestamptz,
    CHECK (expire_time <= latest_time)
) WITH (fillfactor = 80);
CREATE INDEX sessions_by_user ON sessions (user_id, id DESC) WHERE end_time IS NULL;
CREATE INDEX sessions_by_expiry ON sessions (expire_time);

-- Where a user logged in from: others' wrong passwords don't lock them out there. Digests, not addresses.
CREATE TABLE known_networks (
    user_id uuid NOT NULL REFERENCES users,
    network bytea NOT NULL,
    last_used_time timestamptz NOT NULL,
    PRIMARY KEY (user_id, network)
);

CREATE TABLE login_challenges (
    token_hash bytea PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users,
    failures integer NOT NULL DEFAULT 0,
    expire_time timestamptz NOT NULL
);

-- What is sent by mail. There is no code yet while code_hash is NULL: it is made when the mail is.
CREATE TABLE one_time_codes (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users,
    purpose text NOT NULL CHECK (purpose IN ('EMAIL_VERIFICATION', 'PASSWORD_RESET')),
    code_hash bytea UNIQUE,
    expire_time timestamptz NOT NULL,
    -- A newer one replaces the one before.
    UNIQUE (user_id, purpose)
);

CREATE TABLE totp_factors (
    user_id uuid PRIMARY KEY REFERENCES users,
    secret bytea NOT NULL,
    data_key text NOT NULL,
    -- The 30 seconds of the newest code that was taken: none of it or before is taken again.
    last_step bigint NOT NULL DEFAULT 0,
    create_time timestamptz NOT NULL,
    confirm_time timestamptz
);

CREATE TABLE recovery_codes (
    user_id uuid NOT NULL REFERENCES users,
    code_digest bytea NOT NULL,
    PRIMARY KEY (user_id, code_digest)
);

-- Attempts at secrets, by digests of whose and from where.
CREATE TABLE attempts (
    key bytea PRIMARY KEY,
    failures integer NOT NULL,
    blocked_until timestamptz NOT NULL,
    update_time timestamptz NOT NULL
) WITH (fillfactor = 70);
CREATE INDEX attempts_by_time ON attempts (update_time);
"""


def upgrade() -> None:
    """Add to what is there; nothing is taken away."""
    op.execute(_USERS)
    op.execute(_TABLES)
    op.execute(
        "INSERT INTO role_permissions SELECT name, 'account.manage' FROM roles WHERE built_in ON CONFLICT DO NOTHING"
    )
    schema.grant(
        "auth",
        "SELECT, INSERT, UPDATE, DELETE",
        "sessions",
        "known_networks",
        "login_challenges",
        "one_time_codes",
        "totp_factors",
        "recovery_codes",
        "attempts",
    )
