"""Alembic's environment, the same for every service: one transaction for all revisions, under a lock of its own."""

import os

from alembic import context
from sqlalchemy import create_engine, pool, text

# Any number, as long as every migration of every instance asks for the same.
LOCK = 0x6F726D65

engine = create_engine(os.environ["ORDERMESH_DATABASE_URL"], poolclass=pool.NullPool, hide_parameters=True)
with engine.connect() as connection:
    context.configure(connection=connection, transaction_per_migration=False)
    with context.begin_transaction():
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
        context.run_migrations()
