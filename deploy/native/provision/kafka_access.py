"""Kafka's users and what each may do: the least that its work needs, as the topology says. All else is denied.

A right that the topology no longer says is taken away, and its user locked out.
"""

import secrets as randomness
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (  # type: ignore[attr-defined] # it does not say what it exports
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialAlteration,
    UserScramCredentialUpsertion,
)

from deploy.native import secrets
from deploy.native.provision import kafka_clients
from deploy.native.provision.summary import summary
from deploy.native.provision.waiting import wait_for
from deploy.native.runtime import Runtime, Topology
from deploy.native.secrets import CONNECT, OPERATOR

REQUEST_TIMEOUT_S = 10
LOGIN_ATTEMPTS = 20
ITERATIONS = 4096
# No user is ever removed. Of a log in which one was, Kafka 4.3.1 may read that there are no users at all, and refuse
# everybody from its next start on (ScramDelta.apply, if the one who was removed comes first in a hash map). Whoever is
# locked out has a password that nobody knows, and is told from the others by this number.
LOCKED_OUT_ITERATIONS = 8192
PRINCIPAL = "User:"
INTERNAL_TOPICS = "_connect-"
HEARTBEATS = "__debezium-heartbeat."

TOPIC, GROUP = ResourceType.TOPIC, ResourceType.GROUP
LITERAL, PREFIXED = ResourcePatternType.LITERAL, ResourcePatternType.PREFIXED
READ, WRITE, DESCRIBE = AclOperation.READ, AclOperation.WRITE, AclOperation.DESCRIBE
MANAGE = (READ, WRITE, AclOperation.CREATE, AclOperation.DESCRIBE_CONFIGS)


class Right(NamedTuple):
    """One thing that a user may do."""

    user: str
    kind: ResourceType
    name: str
    pattern: ResourcePatternType
    operation: AclOperation


def access(runtime: Runtime) -> str:
    """Create or correct every user and right."""
    admin = AdminClient({**kafka_clients.as_provisioning(runtime), "log_level": 2})
    kept = secrets.ensure(runtime.root, runtime.topology.services, runtime.topology.consumers)
    wanted = set(rights(runtime.topology))
    passwords = {user: kept.kafka_passwords[user] for user in sorted({right.user for right in wanted})}
    known = wait_for("Kafka", lambda: _let_in(admin), errors=(KafkaException,))
    changes = set_rights(admin, wanted, _rights(admin))
    stale = [user for user in passwords if user not in known] + _outdated(runtime, passwords, known)
    set_passwords(admin, {user: passwords[user] for user in stale})
    changes += [f"user {user} {'changed' if user in known else 'created'}" for user in stale]
    changes += lock_out(admin, known - passwords.keys())
    return summary("access", changes + kafka_clients.write_properties(runtime))


def rights(topology: Topology) -> Iterator[Right]:
    """List what everybody may do."""
    suffix = topology.topics.dead_letter_suffix
    events = [service.events_topic for service in topology.services.values()]
    tables = [table.topic for service in topology.services.values() for table in service.tables.values()]
    for name, service in topology.services.items():
        for topic in service.consumes:
            yield Right(name, TOPIC, topic, LITERAL, READ)
            for operation in (READ, WRITE):
                yield Right(name, TOPIC, f"{topic}{suffix}", LITERAL, operation)
        if service.consumes:
            yield from _groups(name)
    for name, topics in topology.consumers.items():
        yield from consumer_rights(name, topics)
    for topic in events + tables:
        yield Right(CONNECT, TOPIC, topic, LITERAL, WRITE)
    yield Right(CONNECT, TOPIC, HEARTBEATS, PREFIXED, WRITE)
    yield Right(CONNECT, GROUP, CONNECT, LITERAL, READ)
    for operation in MANAGE:
        yield Right(CONNECT, TOPIC, INTERNAL_TOPICS, PREFIXED, operation)
    yield from consumer_rights(OPERATOR, [*events, *tables, *(f"{topic}{suffix}" for topic in events)])
    for kind in (TOPIC, GROUP):
        yield Right(OPERATOR, kind, "*", LITERAL, DESCRIBE)


def consumer_rights(user: str, topics: Iterable[str]) -> Iterator[Right]:
    """List what somebody may do who reads topics, in groups that are called like the user or begin with `<user>-`."""
    for topic in topics:
        yield Right(user, TOPIC, topic, LITERAL, READ)
    yield from _groups(user)


def set_rights(admin: AdminClient, wanted: set[Right], found: set[Right]) -> list[str]:
    """Grant what is missing, and take away what is not wanted."""
    for done in admin.create_acls([_binding(right) for right in wanted - found]).values() if wanted - found else ():
        done.result(REQUEST_TIMEOUT_S)
    for done in admin.delete_acls([_filter(right) for right in found - wanted]).values() if found - wanted else ():
        done.result(REQUEST_TIMEOUT_S)
    told = {"granted": len(wanted - found), "taken away": len(found - wanted)}
    return [f"{count} rights {what}" for what, count in told.items() if count]


def set_passwords(admin: AdminClient, passwords: Mapping[str, str], *, iterations: int = ITERATIONS) -> None:
    """Create users, or give them other passwords; the broker gets a verifier only."""
    if not passwords:
        return
    how = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, iterations)
    asked: list[UserScramCredentialAlteration] = [
        UserScramCredentialUpsertion(user, how, password.encode()) for user, password in passwords.items()
    ]
    for done in admin.alter_user_scram_credentials(asked).values():
        done.result(REQUEST_TIMEOUT_S)


def lock_out(admin: AdminClient, users: set[str]) -> list[str]:
    """Let nobody log in as one of them."""
    set_passwords(admin, {user: randomness.token_hex(32) for user in users}, iterations=LOCKED_OUT_ITERATIONS)
    return [f"user {user} locked out" for user in sorted(users)]


def _groups(user: str) -> Iterator[Right]:
    yield Right(user, GROUP, user, LITERAL, READ)
    yield Right(user, GROUP, f"{user}-", PREFIXED, READ)


def _let_in(admin: AdminClient) -> set[str]:
    """Name the users who have a password that somebody may know."""
    asked = admin.describe_user_scram_credentials(request_timeout=REQUEST_TIMEOUT_S)
    told = asked.result(REQUEST_TIMEOUT_S)  # type: ignore[union-attr]  # one answer, as nobody is named
    iterations = {user: {each.iterations for each in found.scram_credential_infos} for user, found in told.items()}
    return {user for user, found in iterations.items() if found != {LOCKED_OUT_ITERATIONS}}


def _outdated(runtime: Runtime, passwords: Mapping[str, str], known: set[str]) -> list[str]:
    """Find the users that the broker knows by another password. It doesn't tell one, so each has to try."""
    tried = [user for user in passwords if user in known]
    with ThreadPoolExecutor() as pool:
        good = pool.map(lambda user: may_log_in(runtime, user, passwords[user]), tried)
        return [user for user, well in zip(tried, good, strict=True) if not well]


def may_log_in(runtime: Runtime, user: str, password: str) -> bool:
    """Tell whether the broker takes the password. Raises KafkaException when it says nothing at all."""
    refusals: list[KafkaError] = []
    told: dict[str, Any] = {"log_level": 0, "error_cb": refusals.append}
    client = AdminClient({**kafka_clients.with_password(runtime, user, password), **told})
    for left in reversed(range(LOGIN_ATTEMPTS)):
        try:
            client.list_topics(timeout=1)
        except KafkaException:
            client.poll(0)
            if any(refusal.code() == KafkaError._AUTHENTICATION for refusal in refusals):  # noqa: SLF001 - its name
                return False
            if not left:
                raise
        else:
            break
    return True


def _rights(admin: AdminClient) -> set[Right]:
    """Read all rights there are."""
    anybody: Any = None
    anything = AclBindingFilter(
        ResourceType.ANY, anybody, ResourcePatternType.ANY, anybody, anybody, AclOperation.ANY, AclPermissionType.ANY
    )
    found = admin.describe_acls(anything, request_timeout=REQUEST_TIMEOUT_S).result(REQUEST_TIMEOUT_S)
    return {
        Right(
            each.principal.removeprefix(PRINCIPAL), each.restype, each.name, each.resource_pattern_type, each.operation
        )
        for each in found
    }


def _binding(right: Right) -> AclBinding:
    principal = f"{PRINCIPAL}{right.user}"
    place = (right.kind, right.name, right.pattern)
    return AclBinding(*place, principal, "*", right.operation, AclPermissionType.ALLOW)


def _filter(right: Right) -> AclBindingFilter:
    principal = f"{PRINCIPAL}{right.user}"
    place = (right.kind, right.name, right.pattern)
    return AclBindingFilter(*place, principal, "*", right.operation, AclPermissionType.ANY)
