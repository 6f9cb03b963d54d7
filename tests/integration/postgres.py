"""A PostgreSQL of the tests' own, set up and started as `make up` does: settings, databases, roles, schemas."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Collection
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar
from unittest import mock

import psycopg
from alembic import command
from psycopg.sql import SQL, Identifier

from deploy.native import secrets
from deploy.native.components import Components
from deploy.native.programs import postgres as program
from deploy.native.provision import postgres as provision
from deploy.native.runtime import Ports, Runtime
from services.common.migrate import configuration
from services.common.settings import ServiceSettings

HOST = "127.0.0.1"
STOP_SECONDS = 20
KEPT = ("alembic_version",)

Settings = TypeVar("Settings", bound=ServiceSettings)


class Postgres:
    """One server with the databases of all services."""

    def __init__(self, runtime: Runtime, programs: Components) -> None:
        """Prepare one that is not started, in folders and on a port that nobody else has."""
        self._folder = Path(tempfile.mkdtemp(prefix="ordermesh-postgres-"))
        self._folder.chmod(0o711)  # Started by root it runs as `nobody`, who has to get to its data.
        self._port = _free_port()
        ports = Ports({**runtime.ports.numbers, "postgres": {"sql": self._port}})
        self.runtime = replace(runtime, root=self._folder / "run", ports=ports)
        self._programs = programs
        self._secrets = secrets.ensure(self.runtime.root, self.runtime.topology.services)
        for folder in (self.runtime.root, self.runtime.root / "data"):
            folder.mkdir(exist_ok=True)
            folder.chmod(0o711)
        self._process: subprocess.Popen[bytes] | None = None

    def install(self) -> None:
        """Make the data directory, start the server, and create every service's database and roles."""
        program.configure(self.runtime)
        program.prepare(self.runtime, self._programs, self._secrets)
        self.start()
        provision.databases(self.runtime)

    def start(self) -> None:
        """Start it, and wait until it answers."""
        how = program.program(self.runtime, self._programs)
        with (self._folder / "postgres.log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - the component under test
                how.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=os.environ | how.environment
            )
        with self.superuser():
            pass

    def stop(self) -> None:
        """End it and the sessions with it."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGINT)
        self._process.wait(STOP_SECONDS)
        self._process = None

    def remove(self) -> None:
        """Stop it and delete what it kept."""
        self.stop()
        shutil.rmtree(self._folder)

    def migrate(self, *services: str) -> None:
        """Bring schemas to their newest revisions, each as the role that owns it."""
        for service in services:
            with mock.patch.dict(os.environ, ORDERMESH_DATABASE_URL=self.url(service, secrets.owner_role(service))):
                command.upgrade(configuration(service), "head")

    def superuser(self, service: str = "") -> AbstractContextManager[provision.Connection]:
        """Open a session that may do anything, in the database of a service."""
        if not service:
            return provision.connect(self.runtime)
        return provision.connect(self.runtime, self._database(service))

    def app(self, service: str) -> psycopg.Connection[tuple[object, ...]]:
        """Open a session as the role that the service runs as."""
        url = self.url(service, secrets.app_role(service)).replace("+psycopg", "")
        return psycopg.connect(url, autocommit=True)

    def url(self, service: str, role: str) -> str:
        """Address of a service's database for SQLAlchemy, as `role`."""
        return provision.url(self.runtime, service, role, self._secrets.database_passwords[role])

    def settings(self, kind: type[Settings], service: str, **others: Any) -> Settings:  # noqa: ANN401 - each setting has its own type
        """Tell a service what it would be told by `make up`, as far as it concerns the database."""
        required: dict[str, Any] = {
            "service": service,
            "port": 1,
            "metrics_port": 2,
            "database_url": self.url(service, secrets.app_role(service)),
        }
        return kind(**required | others)

    def empty(self, service: str, but: Collection[str] = ()) -> None:
        """Take every row of a service's tables away, so that a test sees only its own; `but` some tables are kept."""
        with self.superuser(service) as connection:
            rows = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
            tables = [Identifier(name) for (name,) in rows if name not in {*KEPT, *but}]
            connection.execute(SQL("TRUNCATE {}").format(SQL(", ").join(tables)))

    def _database(self, service: str) -> str:
        return self.runtime.topology.services[service].database


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port
