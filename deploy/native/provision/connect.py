"""Connectors: one per service, rendered from deploy/debezium/outbox.json, carries its events; tables have their own."""

import json
import string
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

import httpx

from deploy.native import certificates, connect_api, secrets
from deploy.native.provision import kafka, postgres
from deploy.native.provision.summary import summary
from deploy.native.provision.waiting import wait_for
from deploy.native.runtime import Runtime
from deploy.native.secrets import DEBEZIUM_ROLE, write_private

TEMPLATE = Path("deploy/debezium/outbox.json")
TABLE_TEMPLATE = Path("deploy/debezium/table.json")
CREDENTIALS_FILE = "postgres.properties"
# A setting that means nothing to Debezium: it keeps which database the connector's position belongs to.
IDENTITY = "ordermesh.database.identity"


class ConnectorTemplate(string.Template):
    """Writes its places as @{name}, because ${name} already means something to Connect."""

    delimiter = "@"
    idpattern = "(?!)"
    braceidpattern = "[a-z_]+"


class NotRunning(Exception):
    """A connector or its task is in another state than RUNNING."""


def connectors(runtime: Runtime) -> str:
    """Create or change the connector of each migrated service and wait until all of them run."""
    migrated = [name for name in runtime.topology.services if postgres.is_migrated(runtime, name)]
    renewed, identity = _write_credentials(runtime), postgres.identity(runtime)
    configs = {name: config for service in migrated for name, config in configurations(runtime, service, identity)}
    with connect_api.client(runtime) as connect:
        wait_for("Kafka Connect", lambda: connect_api.statuses(connect), errors=(httpx.HTTPError,))
        changes = [
            change
            for name, config in configs.items()
            # Connect may be moving its work about, or be slow: what is done already is found done the next time.
            for change in wait_for(
                name, partial(_ensure, connect, name, config, restart=renewed), errors=(httpx.HTTPError,)
            )
        ]
        changes += [f"{name} had failed and was restarted" for name in _restart_failed(connect)]
        wait_for(
            "the connectors",
            lambda: _check_running(connect, list(configs)),
            errors=(httpx.HTTPError, NotRunning),
        )
    return summary("connectors", changes)


def connector_name(service: str) -> str:
    """Name of the connector that carries a service's events."""
    return f"{service}-outbox"


def connector_names(runtime: Runtime, service: str) -> list[str]:
    """Name the connectors of a service: that of its events first, then those of its tables."""
    return [connector_name(service), *(f"{service}-{table}" for table in runtime.topology.services[service].tables)]


def configurations(runtime: Runtime, service: str, identity: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Give the name and the settings of each connector of a service."""
    outbox, *tables = connector_names(runtime, service)
    yield outbox, render(runtime, service, identity)
    for name, table in zip(tables, runtime.topology.services[service].tables, strict=True):
        yield name, render_table(runtime, service, table, identity)


def credentials_directory(runtime: Runtime) -> Path:
    """Where Connect's file config provider may read; the worker's `allowed.paths` must name it."""
    return runtime.config("connect") / "credentials"


def render(runtime: Runtime, service: str, identity: str) -> dict[str, str]:
    """Fill the template for one service; `identity` is that of the server's data, see `postgres.identity`."""
    settings = runtime.topology.services[service]
    return _filled(
        runtime,
        TEMPLATE,
        service=service,
        database=settings.database,
        identity=identity,
        topic=settings.events_topic,
        poll_ms=settings.poll_ms,
        slot=postgres.slot_name(service),
        max_bytes=kafka.MAX_MESSAGE_BYTES,
        publication=postgres.publication_name(service),
    )


def render_table(runtime: Runtime, service: str, table: str, identity: str) -> dict[str, str]:
    """Fill the template for a table of a service; its migration makes the publication, Debezium the slot."""
    settings = runtime.topology.services[service]
    streamed = settings.tables[table]
    return _filled(
        runtime,
        TABLE_TEMPLATE,
        name=f"{service}-{table}",
        slot=f"{service}_{table}",
        database=settings.database,
        identity=identity,
        table=streamed.table,
        topic=streamed.topic,
        poll_ms=streamed.poll_ms,
    )


def _filled(runtime: Runtime, template: Path, **places: object) -> dict[str, str]:
    text = ConnectorTemplate((runtime.checkout / template).read_text()).substitute(
        host=connect_api.HOST,
        port=runtime.port("postgres", "sql"),
        user=DEBEZIUM_ROLE,
        credentials=credentials_directory(runtime) / CREDENTIALS_FILE,
        authority=certificates.data_authority(runtime),
        **places,
    )
    rendered: dict[str, str] = json.loads(text)
    return rendered


def _write_credentials(runtime: Runtime) -> bool:
    password = secrets.ensure(runtime.root, runtime.topology.services).database_passwords[DEBEZIUM_ROLE]
    path, text = credentials_directory(runtime) / CREDENTIALS_FILE, f"password={password}\n"
    if path.exists() and path.read_text() == text:
        return False
    write_private(path, text)
    return True


def _ensure(connect: httpx.Client, name: str, config: Mapping[str, str], *, restart: bool) -> list[str]:
    found = connect.get(f"/connectors/{name}/config")
    if found.status_code == httpx.codes.OK and found.json() == {**config, "name": name}:
        if restart:
            connect_api.restart(connect, name)
        return [f"{name} restarted"] if restart else []
    forget = found.status_code == httpx.codes.OK and found.json().get(IDENTITY) != config[IDENTITY]
    if forget:
        _forget(connect, name)
    put = connect.put(f"/connectors/{name}/config", json=config).raise_for_status()
    if forget:
        connect.put(f"/connectors/{name}/resume").raise_for_status()
    return [f"{name} {'created' if put.status_code == httpx.codes.CREATED else 'changed'}"]


def _forget(connect: httpx.Client, name: str) -> None:
    """Have a connector start where its slot is, not where it was in a database that is no more.

    Its old position may lie ahead of everything the new database has written yet, and all events up to there would be
    left out without a word.
    """
    connect.put(f"/connectors/{name}/stop").raise_for_status()
    wait_for(
        f"{name} to stop",
        lambda: connect.delete(f"/connectors/{name}/offsets").raise_for_status(),
        errors=(httpx.HTTPError,),
    )


def _restart_failed(connect: httpx.Client) -> list[str]:
    failed = list(connect_api.failures(connect))
    for name in failed:
        connect_api.restart(connect, name, onlyFailed="true")
    return failed


def _check_running(connect: httpx.Client, names: list[str]) -> None:
    found = connect_api.statuses(connect)
    for name in names:
        status = found.get(name, {"connector": {"state": "MISSING"}, "tasks": []})
        waiting = [part for part in connect_api.parts(status) if part["state"] != "RUNNING"]
        if waiting or not status["tasks"]:
            raise NotRunning(f"{name} is {connect_api.describe(waiting[0]) if waiting else 'without a task'}")
