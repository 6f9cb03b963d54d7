"""Connectors: one per service, rendered from deploy/debezium/outbox.json, carries its events; tables have their own."""

import json
import string
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from deploy.native import certificates, secrets
from deploy.native.provision import kafka, postgres
from deploy.native.provision.summary import summary
from deploy.native.provision.waiting import wait_for
from deploy.native.runtime import Runtime
from deploy.native.secrets import DEBEZIUM_ROLE, write_private

HOST = "127.0.0.1"
TEMPLATE = Path("deploy/debezium/outbox.json")
TABLE_TEMPLATE = Path("deploy/debezium/table.json")
CREDENTIALS_FILE = "postgres.properties"
REQUEST_TIMEOUT_S = 30
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
    with client(runtime) as connect:
        wait_for("Kafka Connect", lambda: _get(connect, "/connectors"), errors=(httpx.HTTPError,))
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


def restart_failed(runtime: Runtime) -> list[str]:
    """Restart what failed of any connector and answer their names; meant to be called every few seconds.

    A connector may say RUNNING while its task is FAILED: errors that Debezium does not think worth repeating stop the
    task for good, also when their cause has gone. Raises httpx.HTTPError while Connect itself is away.
    """
    with client(runtime) as connect:
        return _restart_failed(connect)


def client(runtime: Runtime) -> httpx.Client:
    """Speak to Connect's REST API as the operator."""
    context = certificates.verified(certificates.data_authority(runtime), certificates.operator(runtime))
    return httpx.Client(
        base_url=f"https://{HOST}:{runtime.port('connect', 'https')}",
        timeout=REQUEST_TIMEOUT_S,
        verify=context,
        trust_env=False,
    )


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
        host=HOST,
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
            _restart(connect, name)
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


def _restart(connect: httpx.Client, name: str, **which: str) -> None:
    reply = connect.post(f"/connectors/{name}/restart", params={"includeTasks": "true", **which})
    # 409: the worker is rebalancing, which starts everything anyhow.
    if reply.status_code != httpx.codes.CONFLICT:
        reply.raise_for_status()


def _restart_failed(connect: httpx.Client) -> list[str]:
    found = _get(connect, "/connectors", expand="status")
    failed = sorted(name for name, entry in found.items() if has_failed(entry["status"]))
    for name in failed:
        _restart(connect, name, onlyFailed="true")
    return failed


def has_failed(status: Mapping[str, Any]) -> bool:
    """Tell from Connect's status of a connector whether it or one of its tasks has stopped for good."""
    return any(part["state"] == "FAILED" for part in (status["connector"], *status["tasks"]))


def _check_running(connect: httpx.Client, names: list[str]) -> None:
    connectors = _get(connect, "/connectors", expand="status")
    for name in names:
        status = connectors.get(name, {}).get("status", {"connector": {"state": "MISSING"}, "tasks": []})
        parts = [status["connector"], *status["tasks"]]
        waiting = [part for part in parts if part["state"] != "RUNNING"]
        if waiting or not status["tasks"]:
            raise NotRunning(f"{name} is {_describe(waiting)}")


def _describe(parts: list[dict[str, Any]]) -> str:
    if not parts:
        return "without a task"
    first_line = str(parts[0].get("trace", "")).partition("\n")[0]
    return f"{parts[0]['state']} {first_line}".strip()


def _get(connect: httpx.Client, path: str, **parameters: str) -> Any:  # noqa: ANN401 - JSON
    return connect.get(path, params=parameters).raise_for_status().json()
