"""The links to PostgreSQL, Kafka, Connect, Consul and Valkey: who is let in, to what, and whom our clients believe."""

import asyncio
import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import psycopg
import pytest
import valkey
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from deploy.native import certificates, connect_api, secrets
from deploy.native.doctor import running
from deploy.native.provision import kafka_access, kafka_clients, postgres
from deploy.native.runtime import Runtime
from deploy.native.secrets import app_role
from mesh.blocking_queries import agent_of
from mesh.settings import MeshSettings

HOST = "127.0.0.1"
WAIT_S = 20
# Its events are there from the start: the seed brings products, and nobody has bought anything yet.
SOLD = "product-events"
REFUSED_S = 5


@pytest.fixture(scope="module")
def kept(stack: Runtime) -> secrets.Secrets:
    """What the install keeps secret."""
    return secrets.ensure(stack.root, stack.topology.services, stack.topology.consumers)


@pytest.fixture(scope="module")
def stranger(stack: Runtime, tmp_path_factory: pytest.TempPathFactory) -> certificates.Certificates:
    """Have the certificates of another install."""
    return certificates.ensure(tmp_path_factory.mktemp("other"), stack.topology.mesh.datacenter)


def session(stack: Runtime, database: str, role: str, password: str, **others: str) -> None:
    """Open a session in PostgreSQL, and end it."""
    url = postgres.url_of(stack, database, role, password).replace("+psycopg", "")
    psycopg.connect(url, **others).close()  # type: ignore[arg-type]  # all are words of libpq's


def test_postgresql_takes_nobody_without_tls(stack: Runtime, kept: secrets.Secrets) -> None:
    """Also with the right password."""
    role = app_role("order")
    session(stack, "orders", role, kept.database_passwords[role])
    with pytest.raises(psycopg.OperationalError, match="no encryption"):
        session(stack, "orders", role, kept.database_passwords[role], sslmode="disable")


def test_postgresql_takes_nobody_with_a_wrong_password(stack: Runtime) -> None:
    """Encrypted or not."""
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        session(stack, "orders", app_role("order"), "guessed")


def test_a_service_enters_no_database_of_another(stack: Runtime, kept: secrets.Secrets) -> None:
    """Its password opens its own only."""
    role = app_role("order")
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        session(stack, "payment", role, kept.database_passwords[role])


def test_no_password_is_sent_to_another_postgresql(
    stack: Runtime, kept: secrets.Secrets, stranger: certificates.Certificates
) -> None:
    """One that the install's authority did not sign for."""
    role, other = app_role("order"), str(stranger.data_authority.certificate)
    with pytest.raises(psycopg.OperationalError, match="certificate verify failed"):
        session(stack, "orders", role, kept.database_passwords[role], sslrootcert=other)


@pytest.mark.parametrize(
    "changed",
    [
        {"security.protocol": "PLAINTEXT"},
        {"security.protocol": "SASL_PLAINTEXT"},
        {"security.protocol": "SSL"},
        {"sasl.password": "guessed"},
        {"sasl.username": "somebody"},
    ],
    ids=str,
)
def test_kafka_takes_nobody_who_does_not_log_in_over_tls(stack: Runtime, changed: dict[str, str]) -> None:
    """In plaintext, without a password, or with a wrong one."""
    client = kafka_clients.as_operator(stack)
    assert topics_of(client)
    with pytest.raises(KafkaException):
        topics_of(client | changed)


def test_no_password_is_sent_to_another_kafka(stack: Runtime, stranger: certificates.Certificates) -> None:
    """One that the install's authority did not sign for."""
    other = {"ssl.ca.location": str(stranger.data_authority.certificate)}
    with pytest.raises(KafkaException):
        topics_of(kafka_clients.as_operator(stack) | other)


def test_users_are_made_by_those_with_the_certificate_for_it(
    stack: Runtime, stranger: certificates.Certificates
) -> None:
    """Another authority's opens nothing; the operator's has no rights where passwords don't count."""
    client, own = kafka_clients.as_provisioning(stack), certificates.operator(stack)
    assert topics_of(client)
    operator = client | {"ssl.certificate.location": str(own.certificate), "ssl.key.location": str(own.key)}
    assert not topics_of(operator)
    foreign = stranger.provisioning
    with pytest.raises(KafkaException):
        topics_of(client | {"ssl.certificate.location": str(foreign.certificate), "ssl.key.location": str(foreign.key)})


def topics_of(client: dict[str, str]) -> set[str]:
    """List the topics that a client may know of."""
    found = AdminClient({**client, "log_level": 0}).list_topics(timeout=REFUSED_S).topics
    return {name for name, topic in found.items() if topic.error is None}


@pytest.mark.parametrize("user", ["notification", "operator"])
def test_who_reads_events_writes_none(stack: Runtime, user: str) -> None:
    """Only Debezium does."""
    assert written(kafka_clients.as_user(stack, user), "order-events") == KafkaError.TOPIC_AUTHORIZATION_FAILED


def test_a_service_reads_the_topics_that_it_consumes_only(stack: Runtime) -> None:
    """It doesn't even learn that there are others; nor does it take part in the groups of others."""
    client, consumed = kafka_clients.as_user(stack, "notification"), stack.topology.services["notification"].consumes
    assert topics_of(client) == {each for topic in consumed for each in (topic, f"{topic}.dlq")}
    assert read(client, "analytics", "order-events", joins=True) == KafkaError.GROUP_AUTHORIZATION_FAILED


def test_connect_writes_events_and_reads_none(stack: Runtime) -> None:
    """Who takes its password learns of no order."""
    client = kafka_clients.as_user(stack, "connect")
    assert read(client, "connect", "order-events") == KafkaError.TOPIC_AUTHORIZATION_FAILED


@pytest.fixture
def analytics(stack: Runtime) -> Iterator[dict[str, str]]:
    """Admit a consumer of another team, as `make up` does for a line in the topology, and lock it out again."""
    user, password = f"team-{uuid.uuid4().hex[:8]}", uuid.uuid4().hex
    admin = AdminClient({**kafka_clients.as_provisioning(stack)})
    rights = set(kafka_access.consumer_rights(user, [SOLD]))
    kafka_access.set_passwords(admin, {user: password})
    kafka_access.set_rights(admin, rights, set())
    yield kafka_clients.with_password(stack, user, password)
    kafka_access.set_rights(admin, set(), rights)
    kafka_access.lock_out(admin, {user})


def test_another_team_reads_what_it_is_let_in_for(analytics: dict[str, str]) -> None:
    """In a group of its own; nothing else is there for it."""
    assert topics_of(analytics) == {SOLD}
    assert read(analytics, f"{analytics['sasl.username']}-reports", SOLD, joins=True) is None
    assert read(analytics, "notification", SOLD, joins=True) == KafkaError.GROUP_AUTHORIZATION_FAILED
    assert written(analytics, SOLD) == KafkaError.TOPIC_AUTHORIZATION_FAILED


def test_what_the_topology_does_not_say_is_taken_away(stack: Runtime) -> None:
    """A user made by hand gets in nowhere after the next `make up`, which then has nothing left to do."""
    admin = AdminClient({**kafka_clients.as_provisioning(stack)})
    user = f"team-{uuid.uuid4().hex[:8]}"
    kafka_access.set_passwords(admin, {user: "known"})
    kafka_access.set_rights(admin, set(kafka_access.consumer_rights(user, ["order-events"])), set())
    assert kafka_access.may_log_in(stack, user, "known")
    assert f"user {user} locked out" in kafka_access.access(stack)
    assert not kafka_access.may_log_in(stack, user, "known")
    assert kafka_access.access(stack) == "access: unchanged"


def test_a_password_that_changed_is_set_again(stack: Runtime) -> None:
    """Whatever Kafka was told before; until then the doctor says that it is needed."""
    kafka_access.set_passwords(AdminClient({**kafka_clients.as_provisioning(stack)}), {"operator": "another"})
    (finding,) = running.consumers(stack)
    assert (finding.what, "make up" in finding.advice) == ("Kafka refuses the operator's password", True)
    assert kafka_access.access(stack) == "access: user operator changed"
    assert topics_of(kafka_clients.as_operator(stack))


def written(client: dict[str, str], topic: str) -> int | None:
    """Try to write; returns the code of the error."""
    codes: list[int | None] = []

    def told(error: KafkaError | None, _: Message) -> None:
        codes.append(error.code() if error else None)

    producer = Producer({**client, "log_level": 0})
    producer.produce(topic, b"forged", on_delivery=told)
    assert producer.flush(WAIT_S) == 0
    return codes[0]


def read(client: dict[str, str], group: str, topic: str, *, joins: bool = False) -> int | None:
    """Try to read, as a member of a group or not; returns the code of the first error, or None once something comes."""
    settings: dict[str, Any] = {**client, "group.id": group, "auto.offset.reset": "earliest", "log_level": 0}
    consumer = Consumer({**settings, "enable.auto.commit": False})
    try:
        if joins:
            consumer.subscribe([topic])
        else:
            consumer.assign([TopicPartition(topic, 0, 0)])
        message = consumer.poll(WAIT_S)
        assert message, "neither an event nor an error came"
        error = message.error()
        return error.code() if error else None
    finally:
        consumer.close()


def test_connect_shows_its_connectors_to_the_operators_certificate_only(
    stack: Runtime, stranger: certificates.Certificates
) -> None:
    """Not in plaintext, not without a certificate, not to one of another authority."""
    with connect_api.client(stack) as operator:
        address = str(operator.base_url.join("/connectors"))
        assert operator.get("/connectors").is_success
    trusted = certificates.data_authority(stack)
    for context in (certificates.verified(trusted), certificates.verified(trusted, stranger.operator)):
        with pytest.raises(httpx.TransportError):
            httpx.get(address, verify=context)
    with pytest.raises(httpx.TransportError):
        httpx.get(address.replace("https:", "http:"))


def test_our_tools_speak_to_this_installs_connect_only(stack: Runtime, stranger: certificates.Certificates) -> None:
    """One that another authority signed for is not told what connects to the databases."""
    with connect_api.client(stack) as operator:
        address = str(operator.base_url.join("/connectors"))
    context = certificates.verified(stranger.data_authority.certificate, certificates.operator(stack))
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        httpx.get(address, verify=context)


def consul_settings(stack: Runtime, **changed: object) -> MeshSettings:
    """Tell a process of the mesh where Consul is."""
    told: dict[str, Any] = {
        "service": "order",
        "port": 1,
        "metrics_port": 2,
        "consul_http": f"https://{HOST}:{stack.port('consul', 'https')}",
        "consul_ca": certificates.consul_authority(stack),
    }
    return MeshSettings(**told | changed)


async def leader(settings: MeshSettings) -> Any:  # noqa: ANN401 - JSON
    """Ask who leads Consul."""
    # Not `ask`: this is no blocking query.
    async with agent_of(settings) as agent, agent._http.get("/v1/status/leader") as answer:  # noqa: SLF001
        return await answer.json()


def test_our_processes_speak_to_this_installs_consul_only(stack: Runtime, stranger: certificates.Certificates) -> None:
    """No token is sent to another."""
    assert asyncio.run(leader(consul_settings(stack)))
    other = consul_settings(stack, consul_ca=stranger.consul_authority.certificate)
    with pytest.raises(OSError, match="certificate verify failed"):
        asyncio.run(leader(other))


def test_consuls_encrypted_port_answers_nothing_in_plaintext(stack: Runtime) -> None:
    """It says what is wrong."""
    reply = httpx.get(f"http://{HOST}:{stack.port('consul', 'https')}/v1/status/leader")
    assert (reply.status_code, reply.text.strip()) == (400, "Client sent an HTTP request to an HTTPS server.")


def cache(stack: Runtime, service: str) -> valkey.Valkey:
    """Open Valkey with what a service is told."""
    lines = dict(line.split("=", 1) for line in stack.env_file(service).read_text().splitlines())
    client: valkey.Valkey = valkey.Valkey.from_url(lines["ORDERMESH_CACHE_URL"])
    return client


def test_valkey_gives_a_service_its_own_keys_only(stack: Runtime) -> None:
    """Those that begin with its name; and no command that looks at all of them."""
    with cache(stack, "product") as product, cache(stack, "auth") as auth:
        product.set("product:test", "mine", ex=10)
        assert product.get("product:test") == b"mine"
        with pytest.raises(valkey.exceptions.NoPermissionError):
            auth.get("product:test")
        for command in ("KEYS *", "SCAN 0", "FLUSHALL", "CONFIG GET *", "ACL LIST", "RANDOMKEY"):
            with pytest.raises(valkey.exceptions.NoPermissionError):
                auth.execute_command(*command.split())


def test_valkey_takes_nobody_without_the_right_password(stack: Runtime) -> None:
    """Nor anybody at all from another user of the machine: its socket is its owner's."""
    socket = stack.data("valkey") / "valkey.sock"
    for login in ("", "product:guessed@", "order:guessed@"):
        with valkey.Valkey.from_url(f"unix://{login}{socket}") as client, pytest.raises(valkey.AuthenticationError):
            client.get("product:test")
    assert socket.stat().st_mode & 0o077 == 0
