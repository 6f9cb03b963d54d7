"""Databases, roles and replication slots: what services and Debezium find in PostgreSQL when they start.

Each service has a database that only three roles may enter: its owner (runs migrations), its app role (what
the service runs as; migrations grant it what it needs) and debezium (reads the WAL).
"""

import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.sql import SQL, Composable, Identifier, Literal

from deploy.native import certificates, secrets
from deploy.native.provision import scram
from deploy.native.provision.summary import summary
from deploy.native.provision.waiting import ProvisionError, wait_for
from deploy.native.runtime import Runtime
from deploy.native.secrets import DEBEZIUM_ROLE, app_role, owner_role

HOST = "127.0.0.1"
SUPERUSER = "postgres"
MAINTENANCE_DATABASE = "postgres"

Connection = psycopg.Connection[tuple[Any, ...]]


def databases(runtime: Runtime) -> str:
    """Create each service's database and roles, and close every database to everybody else."""
    passwords = secrets.ensure(runtime.root, runtime.topology.services).database_passwords
    changes: list[str] = []
    with connect(runtime) as connection:
        _forbid_strangers(connection, MAINTENANCE_DATABASE)
        for role, password in passwords.items():
            changes += _ensure_role(connection, role, password)
        for name, service in runtime.topology.services.items():
            changes += _ensure_database(connection, service.database, owner_role(name))
            _forbid_strangers(connection, service.database)
    for name, service in runtime.topology.services.items():
        _admit(runtime, name, service.database)
    return summary("databases", changes)


def slots(runtime: Runtime) -> str:
    """Create each migrated service's replication slot, before the service writes its first event.

    Raises ProvisionError when PostgreSQL has given a slot up: what it kept is gone, which needs a decision.
    """
    changes: list[str] = []
    for name, service in runtime.topology.services.items():
        with connect(runtime, service.database) as connection:
            changes += _ensure_slot(connection, slot_name(name), publication_name(name))
    return summary("slots", changes)


def slot_name(service: str) -> str:
    """Name of the replication slot that Debezium reads a service's events through."""
    return f"{service}_outbox"


def publication_name(service: str) -> str:
    """Name of the publication that a service's first migration makes for its events."""
    return f"{service}_events"


def url(runtime: Runtime, service: str, role: str, password: str) -> str:
    """Address of a service's database for SQLAlchemy, as `role`."""
    return url_of(runtime, runtime.topology.services[service].database, role, password)


def url_of(runtime: Runtime, database: str, role: str, password: str) -> str:
    """Address of any database for SQLAlchemy; whoever uses it verifies the server."""
    place = f"{HOST}:{runtime.port('postgres', 'sql')}/{database}"
    return f"postgresql+psycopg://{role}:{password}@{place}?{urllib.parse.urlencode(encryption(runtime))}"


def encryption(runtime: Runtime) -> dict[str, str]:
    """How each client, in the words of libpq, sees to it that it speaks to the server that is meant."""
    return {"sslmode": "verify-full", "sslrootcert": str(certificates.data_authority(runtime))}


def revision(runtime: Runtime, service: str) -> str | None:
    """Tell which revision a service's schema is at; None before its first migration."""
    with connect(runtime, runtime.topology.services[service].database) as connection:
        found = connection.execute("SELECT to_regclass('alembic_version') IS NOT NULL").fetchone()
        if not (found and found[0]):
            return None
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return row[0] if row else None


def identity(runtime: Runtime) -> str:
    """Name this life of the server's data: another after initdb or a restore, when positions in its WAL start anew."""
    with connect(runtime) as connection:
        row = connection.execute(
            "SELECT (pg_control_system()).system_identifier, (pg_control_checkpoint()).timeline_id"
        ).fetchone()
    return "/".join(map(str, row or ()))


def is_migrated(runtime: Runtime, service: str) -> bool:
    """Tell whether a service has events that can be published."""
    with connect(runtime, runtime.topology.services[service].database) as connection:
        return _has_publication(connection, publication_name(service))


@contextmanager
def connect(runtime: Runtime, database: str = MAINTENANCE_DATABASE) -> Iterator[Connection]:
    """Open a session of the superuser in which each statement commits by itself; waits for the server."""
    password = secrets.ensure(runtime.root, runtime.topology.services).postgres_superuser_password
    connection = wait_for(
        "PostgreSQL",
        lambda: psycopg.connect(
            host=HOST,
            port=runtime.port("postgres", "sql"),
            user=SUPERUSER,
            password=password,
            dbname=database,
            autocommit=True,
            connect_timeout=5,
            **encryption(runtime),  # type: ignore[arg-type]  # none of them is one of psycopg's own
        ),
        errors=(psycopg.OperationalError,),
    )
    with connection:
        yield connection


def _ensure_role(connection: Connection, role: str, password: str) -> list[str]:
    kept = connection.execute("SELECT rolpassword FROM pg_authid WHERE rolname = %s", [role]).fetchone()
    if kept and scram.matches(kept[0], password):
        return []
    # The server gets the verifier, so that no statement log ever holds a password.
    verifier = connection.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256").decode()
    attributes = SQL("LOGIN REPLICATION" if role == DEBEZIUM_ROLE else "LOGIN NOREPLICATION")
    _run(
        connection,
        "{verb} ROLE {role} WITH {attributes} NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD {verifier}",
        verb=SQL("ALTER" if kept else "CREATE"),
        role=Identifier(role),
        attributes=attributes,
        verifier=Literal(verifier),
    )
    return [f"role {role} {'changed' if kept else 'created'}"]


def _ensure_database(connection: Connection, database: str, owner: str) -> list[str]:
    found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [database]).fetchone()
    if found:
        return []
    _run(
        connection,
        "CREATE DATABASE {database} OWNER {owner}",
        database=Identifier(database),
        owner=Identifier(owner),
    )
    return [f"database {database} created"]


def _forbid_strangers(connection: Connection, database: str) -> None:
    _run(connection, "REVOKE ALL ON DATABASE {database} FROM PUBLIC", database=Identifier(database))


def _admit(runtime: Runtime, service: str, database: str) -> None:
    guests = SQL(", ").join([Identifier(app_role(service)), Identifier(DEBEZIUM_ROLE)])
    with connect(runtime, database) as connection:
        _run(
            connection,
            "GRANT CONNECT ON DATABASE {database} TO {guests}",
            database=Identifier(database),
            guests=guests,
        )
        _run(connection, "REVOKE ALL ON SCHEMA public FROM PUBLIC")
        _run(connection, "GRANT USAGE ON SCHEMA public TO {guests}", guests=guests)


def _ensure_slot(connection: Connection, slot: str, publication: str) -> list[str]:
    if not _has_publication(connection, publication):
        return []
    found = connection.execute("SELECT wal_status FROM pg_replication_slots WHERE slot_name = %s", [slot]).fetchone()
    if found is None:
        connection.execute("SELECT pg_create_logical_replication_slot(%s, 'pgoutput')", [slot])
        return [f"slot {slot} created{_unpublished(connection)}"]
    if found[0] == "lost":
        raise ProvisionError(
            f"PostgreSQL gave up the slot {slot}, which nobody read: it kept more than max_slot_wal_keep_size."
            " Its events stay in the table `events`, from where they can be published again. Drop it:\n"
            f"  make sql s={slot.removesuffix('_outbox')} q=\"SELECT pg_drop_replication_slot('{slot}')\" write=1\n"
            f"then make up, then make republish s={slot.removesuffix('_outbox')}."
        )
    return []


def _has_publication(connection: Connection, publication: str) -> bool:
    found = connection.execute("SELECT 1 FROM pg_publication WHERE pubname = %s", [publication]).fetchone()
    return found is not None


def _unpublished(connection: Connection) -> str:
    """Warn of events older than their slot: Debezium sees none of them."""
    older = connection.execute("SELECT count(*) FROM events").fetchone()
    if not older or not older[0]:
        return ""
    return f" (WARNING: of {older[0]} older events some may not be on Kafka: make republish publishes those)"


def _run(connection: Connection, statement: str, **parts: Composable) -> None:
    connection.execute(SQL(statement).format(**parts))
