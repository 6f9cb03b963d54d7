"""What a running stack says of itself: its programs, how much WAL waits, its connectors and consumers."""

from collections.abc import Iterator

import httpx
import psycopg
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from deploy.native import connect_api, policy, provision, status
from deploy.native.doctor import lag
from deploy.native.doctor.finding import Finding
from deploy.native.errors import StackError
from deploy.native.provision import connect, kafka_access, kafka_clients, postgres
from deploy.native.provision.consul import client_of
from deploy.native.runtime import Runtime
from deploy.native.secrets import OPERATOR

MIB = 1024 * 1024
# Postgres gives a slot up at 1 GB (max_slot_wal_keep_size); a heartbeat frees it every few seconds.
MUCH_WAL = 256 * MIB
MANY_EVENTS = 1000
SLOTS = """
    SELECT slot_name, active, wal_status, pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)::bigint
    FROM pg_replication_slots ORDER BY slot_name
"""
TIMEOUT_S = 5


def programs(runtime: Runtime) -> Iterator[Finding]:
    """Look at each program as `make status` does."""
    for line in status.lines(runtime):
        name, state = line.program.name, line.state.state.lower()
        if not line.state.pid:
            yield Finding(f"{name} is {state}", f"make up; if it fails: make logs s={name}")
        elif line.complaint:
            yield Finding(f"{name} is {state}, but: {line.complaint}", f"make logs s={name}")
        else:
            yield Finding(f"{name} is healthy, with {status.megabytes(line.memory)}")


def slots(runtime: Runtime) -> Iterator[Finding]:
    """Look how much WAL PostgreSQL keeps because Debezium has not read it."""
    try:
        with postgres.connect(runtime) as connection:
            rows = connection.execute(SLOTS).fetchall()
    except (psycopg.Error, provision.ProvisionError) as error:
        yield Finding(f"PostgreSQL does not answer: {error}", "make logs s=postgres")
        return
    for name, active, wal_status, retained in rows:
        yield slot(name, wal_status or "", int(retained or 0), active=active)


def slot(name: str, wal_status: str, retained: int, *, active: bool) -> Finding:
    """Judge one slot; `retained` is in bytes."""
    told = f"slot {name} keeps {status.megabytes(retained)} of WAL"
    if wal_status == "lost":
        advice = "events are missing on Kafka: make up says how to start over, make republish publishes them"
        return Finding(f"slot {name} is lost: PostgreSQL has removed what it needs", advice)
    if not active:
        return Finding(f"{told}, and nobody reads it", "see the connectors below, and make logs s=connect")
    if retained > MUCH_WAL:
        return Finding(f"{told}, more than {status.megabytes(MUCH_WAL)}", "is Connect slow? make logs s=connect")
    return Finding(told)


def connectors(runtime: Runtime) -> Iterator[Finding]:
    """Look at each connector and its tasks: the one can be running while the others have failed."""
    try:
        with connect_api.client(runtime, timeout_s=connect_api.BRIEFLY_S) as client:
            found = connect_api.statuses(client)
    except httpx.HTTPError as error:
        yield Finding(f"Connect does not answer: {error}", "make logs s=connect")
        return
    names = {name for service in runtime.topology.services for name in connect.connector_names(runtime, service)}
    missing = names - found.keys()
    for name in sorted(missing):
        yield Finding(f"connector {name} is missing", "make up creates it once its service is migrated")
    for name, told in sorted(found.items()):
        yield connector(name, told)


def connector(name: str, state: connect_api.Status) -> Finding:
    """Judge one connector by its status as Connect tells it."""
    waiting = [part for part in connect_api.parts(state) if part["state"] != "RUNNING"]
    if any(part["state"] == "FAILED" for part in waiting):
        advice = f"it is restarted until it runs: make logs s={connect_api.WATCHDOG}, and s=connect for the cause"
        return Finding(f"connector {name} is {connect_api.describe(waiting[0])}", advice)
    if waiting or not state["tasks"]:
        told = connect_api.describe(waiting[0]) if waiting else "IDLE: it has no task"
        return Finding(f"connector {name} is {told}", "make up restarts it; make logs s=connect")
    return Finding(f"connector {name} is running")


def consumers(runtime: Runtime) -> Iterator[Finding]:
    """Look how many events each group of consumers has yet to see."""
    try:
        waiting = lag.by_group(AdminClient({**kafka_clients.as_operator(runtime), "log_level": 2}))
    except KafkaException as error:
        yield _broker_that_fails(runtime, error)
        return
    for group, events in sorted(waiting.items()):
        told = f"group {group} has {events} events to go"
        yield Finding(told) if events < MANY_EVENTS else Finding(told, "is its service well? make status")


def _broker_that_fails(runtime: Runtime, error: KafkaException) -> Finding:
    """Tell a broker that is not there from one that does not know us."""
    try:
        password = kafka_clients.as_operator(runtime)["sasl.password"]
        if not kafka_access.may_log_in(runtime, OPERATOR, password):
            return Finding("Kafka refuses the operator's password", "make up sets the passwords of all again")
    except KafkaException:
        pass
    return Finding(f"Kafka does not answer: {error}", "make logs s=kafka")


def policies(runtime: Runtime) -> Iterator[Finding]:
    """Look for documents of traffic policy that are not in force, and for drills that somebody forgot."""
    try:
        methods = policy.known_methods()
        found = policy.policies(policy.folder(client_of(runtime), methods), methods)
    except StackError as error:
        yield Finding(f"traffic policy can't be read: {error}", "make status")
        return
    for document, reason in found.rejected.items():
        advice = f"mend it: make policy s={document} set=FILE, or do=reset"
        yield Finding(f"the traffic policy {document} is rejected: {reason}", advice)
    for service in policy.drills(methods, found):
        yield Finding(f"calls to {service} fail on purpose", f"is the drill over? make policy s={service} do=reset")
    if not found.rejected:
        yield Finding(f"traffic policy has {len(found.accepted)} documents, all good")
